"""What entering and leaving a scope costs, against an empty context manager written in Python.

The two take turns in one process, and the smallest of many repeats counts: whatever else the
machine does can only add to it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workloads import Scope

DEPTH: Final = 10
REPEATS, COUNT, QUICK_REPEATS, QUICK_COUNT = 15, 10_000, 5, 5_000


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


def with_block(make: Any, *args: str) -> Callable[[int], float]:
    def run(count: int) -> float:
        started = time.process_time()
        for _ in range(count):
            with make(*args):
                pass
        return time.process_time() - started

    return run


def async_with_block(make: Any, *args: str) -> Callable[[int], float]:
    async def loop(count: int) -> float:
        started = time.process_time()
        for _ in range(count):
            async with make(*args):
                pass
        return time.process_time() - started

    return lambda count: asyncio.run(loop(count))


def below(scope: Scope, run: Callable[[int], float]) -> Callable[[int], float]:
    def run_below(count: int) -> float:
        with ExitStack() as around:
            for _ in range(DEPTH):
                around.enter_context(scope("around"))
            return run(count)

    return run_below


# What is timed, and what it is compared with.
WITH, ASYNC_WITH = "empty class, with", "empty class, async with"
COMPARED: Final = {
    WITH: WITH,
    "named scope, with": WITH,
    "unnamed scope, with": WITH,
    f"named scope below {DEPTH} others": WITH,
    ASYNC_WITH: ASYNC_WITH,
    "named scope, async with": ASYNC_WITH,
}


def costs(scope: Scope, *, quick: bool) -> dict[str, float]:
    """Return the CPU seconds of one time in and out, for each of `COMPARED`."""
    runs = (
        with_block(Empty),
        with_block(scope, "benchmark"),
        with_block(scope),
        below(scope, with_block(scope, "benchmark")),
        async_with_block(Empty),
        async_with_block(scope, "benchmark"),
    )
    cases = dict(zip(COMPARED, runs, strict=True))
    repeats, count = (QUICK_REPEATS, QUICK_COUNT) if quick else (REPEATS, COUNT)
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(repeats):
        for name, run in cases.items():
            best[name] = min(best[name], run(count) / count)
    return best
