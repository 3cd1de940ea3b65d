"""Runs the tests of CPython and of async libraries without allocmeter and with it, and compares.

    python tools/upstream --help

Exit status 1 if a test that passes without us does not pass with us, and known.toml does not say
why it cannot.
"""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import suites
import table
from comparison import Compared, compare
from environments import find, prepare
from runs import PLUGIN, STARTUP, WAYS, Run, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments import Interpreter
    from suites import Part


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/upstream", description=__doc__.split("\n", 1)[0])
    parser.add_argument("python", nargs="*", help="the interpreters (default: this one)")
    parser.add_argument("--suite", action="append", choices=["cpython", *suites.LIBRARIES])
    parser.add_argument("--module", action="append", help="only that test module of CPython")
    parser.add_argument("--quick", action="store_true", help="only what takes few minutes")
    parser.add_argument("--way", action="append", choices=WAYS, help=f"default: {STARTUP}")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="run so many at a time")
    parser.add_argument("--timeout", type=float, default=1800, metavar="S", help="of one run")
    parser.add_argument("--cache", type=Path, default=Path("build/upstream"), metavar="DIR")
    parser.add_argument("--output", type=Path, help="default: the cache's directory `results`")
    parser.add_argument("--resume", action="store_true", help="keep results that are there")
    return parser.parse_args()


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    # A shell's background job ignores interrupts, and so would the tests that send some.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = _arguments()
    cache = arguments.cache.resolve()
    output = (arguments.output or cache / "results").resolve()
    output.mkdir(parents=True, exist_ok=True)
    settings = Settings(output, arguments.timeout, arguments.resume)
    interpreters = [find(python, cache) for python in arguments.python or [sys.executable]]
    chosen = arguments.suite or (["cpython"] if arguments.quick else ["cpython", *suites.LIBRARIES])
    modules = _modules(arguments) if "cpython" in chosen else ()
    for line in _absent(interpreters, modules):
        print(line)
    jobs = [
        [Run(interpreter, part, way, settings) for way in _ways(arguments, part)]
        for interpreter in interpreters
        for part in _parts(interpreter, modules, cache, chosen)
    ]
    jobs = [runs for runs in jobs if runs]
    if not jobs:
        return 0  # as said above
    with ThreadPoolExecutor(arguments.jobs) as pool:
        compared = [each for done in pool.map(_compared, jobs) for each in done]
    print(table.render(compared))
    return int(any(each.failed for each in compared))


def _compared(runs: list[Run]) -> list[Compared]:
    compared = []
    for run in runs:
        compared.append(compare(run))
        print(table.progress(compared[-1]), file=sys.stderr, flush=True)
    return compared


def _modules(arguments: argparse.Namespace) -> tuple[str, ...]:
    return tuple(arguments.module or (suites.QUICK if arguments.quick else suites.CPYTHON))


def _parts(
    interpreter: Interpreter, modules: Sequence[str], cache: Path, chosen: list[str]
) -> list[Part]:
    """Return what can be run, with the environments for it made."""
    libraries = [name for name in chosen if name in suites.LIBRARIES]
    installed = [module for module in modules if module in interpreter.modules]
    if not (installed or libraries):
        return []
    packages = [f"{name}=={suites.LIBRARIES[name]}" for name in libraries]
    prepare(interpreter, cache, [*packages, *(suites.REQUIREMENTS if libraries else ())])
    return [
        *suites.cpython_parts(installed),
        *(suites.library_part(interpreter.plain, name, cache) for name in libraries),
    ]


def _ways(arguments: argparse.Namespace, part: Part) -> list[str]:
    wanted = arguments.way or [STARTUP]
    # CPython's tests are not run by pytest.
    return [way for way in wanted if way != PLUGIN or part.suite != "cpython"]


def _absent(interpreters: list[Interpreter], modules: Sequence[str]) -> list[str]:
    lines = []
    for interpreter in interpreters:
        absent = [module for module in modules if module not in interpreter.modules]
        if absent:
            version = interpreter.version
            lines.append(f"not run: {', '.join(absent)}: not installed with Python {version}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
