"""Tasks of asyncio, each in a scope of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from benchmarks.workloads import Scope, Work

TREES, BRANCHES, LEVELS = 8, 4, 4
TASKS, AT_ONCE = 20_000, 1_000


def task_trees(scope: Scope | None) -> Work:
    """Trees of tasks, each tree in a scope: 341 tasks that wait for one another."""

    async def node(levels: int) -> int:
        if not levels:
            await asyncio.sleep(0)
            return len([str(n) for n in range(20)])
        return sum(await asyncio.gather(*(node(levels - 1) for _ in range(BRANCHES))))

    async def measured_tree() -> int:
        assert scope is not None
        async with scope("tree"):
            return await node(LEVELS)

    async def main() -> None:
        trees = (node(LEVELS) if scope is None else measured_tree() for _ in range(TREES))
        await asyncio.gather(*trees)

    return lambda: asyncio.run(main())


def many_tasks(scope: Scope | None) -> Work:
    """Twenty thousand tasks, each in a scope: a thousand at a time, with three awaits each."""

    async def task(n: int) -> list[int]:
        kept = []
        for step in range(3):
            kept.append(1_000 * n + step)
            await asyncio.sleep(0)
        return kept

    async def measured_task(n: int) -> list[int]:
        assert scope is not None
        async with scope("task"):
            kept = []
            for step in range(3):
                kept.append(1_000 * n + step)
                await asyncio.sleep(0)
            return kept

    async def main(one: Callable[[int], Coroutine[None, None, list[int]]]) -> None:
        for first in range(0, TASKS, AT_ONCE):
            await asyncio.gather(*map(one, range(first, first + AT_ONCE)))

    return lambda: asyncio.run(main(task if scope is None else measured_task))
