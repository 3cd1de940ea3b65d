"""What entering and leaving a scope costs, against an empty context manager written in Python.

The two take turns in one process, and the smallest of many repeats counts: whatever else the
machine does can only add to it.

    $ python benchmarks/enter_leave.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from contextlib import ExitStack
from typing import Any, Self

from allocmeter import measure

DEPTH = 10


class Empty:
    """What every context manager written in Python costs at least."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass


def with_block(make: Any, *args: str) -> Any:
    def run(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            with make(*args):
                pass
        return time.perf_counter() - started

    return run


def async_with_block(make: Any, *args: str) -> Any:
    async def loop(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            async with make(*args):
                pass
        return time.perf_counter() - started

    return lambda count: asyncio.run(loop(count))


def below(depth: int, run: Any) -> Any:
    def run_below(count: int) -> float:
        with ExitStack() as around:
            for _ in range(depth):
                around.enter_context(measure("around"))
            seconds: float = run(count)
            return seconds

    return run_below


# What is timed, and against what.
WITH, ASYNC_WITH = "empty class, with", "empty class, async with"
CASES: dict[str, tuple[Any, str]] = {
    WITH: (with_block(Empty), WITH),
    "named scope, with": (with_block(measure, "benchmark"), WITH),
    "unnamed scope, with": (with_block(measure), WITH),
    f"named scope below {DEPTH} others": (below(DEPTH, with_block(measure, "benchmark")), WITH),
    ASYNC_WITH: (async_with_block(Empty), ASYNC_WITH),
    "named scope, async with": (async_with_block(measure, "benchmark"), ASYNC_WITH),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats, rougher figures")
    repeats, count = (5, 5_000) if parser.parse_args().quick else (25, 50_000)
    best = dict.fromkeys(CASES, float("inf"))
    for _ in range(repeats):
        for name, (run, _base) in CASES.items():
            best[name] = min(best[name], run(count) / count)
    print(f"CPython {platform.python_version()}, {sys.platform} {platform.machine()}")
    for name, (_run, base) in CASES.items():
        print(f"{name:<28} {best[name] * 1e9:>8,.0f} ns {best[name] / best[base]:>6.2f} x")


if __name__ == "__main__":
    main()
