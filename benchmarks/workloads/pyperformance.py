"""Programs of pyperformance, as they are, run by a `pyperf.Runner` that only collects the function.

pyperformance measures by wall time in processes that pyperf starts; here the same functions are
called by the harness, which measures all workloads in one way.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.workloads import in_one_scope

if TYPE_CHECKING:
    from benchmarks.workloads import Scope, Work


def program(scope: Scope | None, name: str, loops: int, *arguments: str, **constants: int) -> Work:
    """Return a benchmark of pyperformance as a workload.

    Args:
        scope: opened around each call of the work.
        name: of its directory, without `bm_`.
        loops: how often the work does what the program calls one loop.
        arguments: of the program's own command line.
        constants: of the program, with values to use instead.
    """
    import pyperformance

    directory = Path(pyperformance.__file__).parent / "data-files" / "benchmarks" / f"bm_{name}"
    work, space = _collected(directory, arguments, loops)
    for constant, value in constants.items():
        assert constant in space, constant
        space[constant] = value
    return in_one_scope(scope, work)


def _collected(
    directory: Path, arguments: tuple[str, ...], loops: int
) -> tuple[Work, dict[str, Any]]:
    """Run a program; return what it wanted to have measured, and the names that this looks up."""
    import pyperf

    found: list[tuple[Work, dict[str, Any]]] = []

    class Collecting(pyperf.Runner):  # type: ignore[misc]
        def bench_func(self, _name: str, function: Any, *args: Any, **_options: Any) -> None:
            def work() -> None:
                for _ in range(loops):
                    function(*args)

            found.append((work, function.__globals__))

        def bench_time_func(self, _name: str, function: Any, *args: Any, **_options: Any) -> None:
            found.append((lambda: function(loops, *args), function.__globals__))

        def bench_async_func(self, _name: str, function: Any, *args: Any, **_options: Any) -> None:
            async def main() -> None:
                for _ in range(loops):
                    await function(*args)

            found.append((lambda: asyncio.run(main()), function.__globals__))

    path = directory / "run_benchmark.py"
    with (
        patch.object(pyperf, "Runner", Collecting),
        patch.object(sys, "argv", [str(path), *arguments]),
        patch.object(sys, "path", [str(directory), *sys.path]),
    ):
        runpy.run_path(str(path), run_name="__main__")
    (only,) = found
    return only
