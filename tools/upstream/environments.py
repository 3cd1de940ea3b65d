"""Two virtual environments for each interpreter that differ in one file.

The `.pth` file of the measured one starts the measuring in every interpreter of the environment:
unlike `PYTHONPATH`, it is read by the isolated children of a test, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from processes import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
_START = Path(__file__).with_name("measured.py")
_QUESTION = """
import importlib.util, json, os, sys
tests = importlib.util.find_spec("test")
places = tests.submodule_search_locations if tests else []
names = [name.removesuffix(".py") for place in places for name in os.listdir(place)]
print(json.dumps(["%d.%d.%d" % sys.version_info[:3], names]))
"""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter with its two environments.

    Attributes:
        python: its executable.
        version: such as `3.13.0`.
        modules: the test modules of its standard library that are installed, which may be none.
        plain: the executable of the environment without the `.pth` file.
        measured: of the one with it.
    """

    python: str
    version: str
    modules: frozenset[str]
    plain: Path
    measured: Path


def find(python: str, cache: Path) -> Interpreter:
    """Ask an interpreter what it is and has; make nothing yet.

    Args:
        python: the executable.
        cache: where the environments are kept.

    Raises:
        SystemExit: it could not be asked.
    """
    asked = subprocess.run(  # noqa: S603 - the command is ours
        [python, "-I", "-c", _QUESTION], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise SystemExit(f"{python} does not answer:\n{asked.stderr}")
    version, modules = json.loads(asked.stdout)
    plain, measured = (cache / f"{version}-{kind}/bin/python" for kind in ("plain", "measured"))
    return Interpreter(python, version, frozenset(modules), plain, measured)


def prepare(interpreter: Interpreter, cache: Path, packages: Sequence[str]) -> None:
    """Make the environments of an interpreter, with allocmeter as it is now in both of them.

    Args:
        interpreter: as `find` returned it.
        cache: as it was given to `find`.
        packages: what is to be installed besides.

    Raises:
        SystemExit: a package could not be installed.
    """
    wheel = _wheel(interpreter.python, cache / "wheels" / interpreter.version)
    for executable in (interpreter.plain, interpreter.measured):
        if not executable.exists():
            checked([interpreter.python, "-m", "venv", executable.parents[1]])
        (place,) = executable.parents[1].glob("lib/python*/site-packages")
        start = place / "allocmeter_upstream.pth"
        start.unlink(missing_ok=True)  # pip is not to be measured
        pip: list[str | Path] = [executable, "-m", "pip", "install", "-q"]
        checked([*pip, "anyio", *packages])
        checked([*pip, "--force-reinstall", "--no-deps", wheel])
    shutil.copy(_START, place / "allocmeter_upstream.py")
    start.write_text("import allocmeter_upstream\n")


def _wheel(python: str, directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    checked([python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", directory, REPOSITORY])
    (wheel,) = directory.glob("*.whl")
    return wheel
