"""A task is charged exactly for its own blocks, and for what every task costs the event loop.

asyncio's loop does its part of ending a task in the task's last step. With a scope that is what one
done callback takes: its handle. That, and nothing else, is what instrumenting adds to a task.
"""

from __future__ import annotations

import asyncio
import gc
from contextvars import copy_context

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from allocmeter import measure
from allocmeter._core.figures import current_scope, read_own
from allocmeter.integrations._asyncio_scopes import TaskEnd
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
from blocks import untouched
from instrumented import _instrumented  # noqa: F401
from operations import block, cost, one_block

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.exact,
    pytest.mark.usefixtures("instrumented", "without_collector"),
]

STEPS, ROUNDS = 5, 12
SMALL, LARGE = 70_000, 900_000


@pytest.fixture
def without_collector():
    gc.disable()
    yield
    gc.enable()


def least(stats):
    """Return the smallest: now and then the loop grows a table in whichever task is running."""
    return min(stats, key=lambda s: (s.bytes_allocated, s.allocations, s.bytes_deallocated))


async def working(size, found):
    found.setdefault(size, []).append(current_scope())
    for _ in range(STEPS):
        kept = untouched(size)
        await checkpoint()
        del kept


def exactly_one_block(size, scope):
    """In a worker thread: what a single block changes, again and again, beside other threads."""
    changes = []
    for _ in range(100):
        before = scope.stats
        kept = block(size)
        changes.append(scope.stats - before)
        del kept
    assert current_scope() is scope
    # The loop may not yet be through with the step of the task that asked for the thread.
    return changes.count(one_block(size)) > 90


async def working_in_a_thread(size, run, found):
    found[size] = await run(exactly_one_block, size, current_scope())


async def side_by_side(work, *arguments):
    for _ in range(ROUNDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work, SMALL, *arguments)
            tasks.start_soon(work, LARGE, *arguments)


async def test_two_tasks_side_by_side_differ_by_their_own_blocks_alone():
    found = {}
    await side_by_side(working, found)
    small, large = ([scope.stats for scope in found[size]] for size in (SMALL, LARGE))
    assert least(large).bytes_allocated - least(small).bytes_allocated == STEPS * (LARGE - SMALL)
    assert all(scope.peak_bytes < 2 * cost(SMALL) for scope in found[SMALL])
    assert all(cost(LARGE) <= scope.peak_bytes < cost(LARGE) + SMALL for scope in found[LARGE])


async def test_threads_of_two_tasks_side_by_side_are_charged_to_their_own_task_exactly():
    found = {}
    await side_by_side(working_in_a_thread, to_thread.run_sync, found)
    assert found == {SMALL: True, LARGE: True}


async def test_a_task_has_its_own_blocks_and_what_an_idle_task_costs():
    async def idle(found):
        found.append(current_scope())
        for _ in range(STEPS):
            await checkpoint()

    found, nothing = {}, []
    await side_by_side(working, found)
    for _ in range(ROUNDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(idle, nothing)
            tasks.start_soon(idle, nothing)
    more = least(s.stats for s in found[LARGE]) - least(s.stats for s in nothing)
    # What `untouched` takes besides: the arguments of its call.
    assert 0 <= more.bytes_allocated - STEPS * cost(LARGE) <= STEPS * 200


class TestAsyncio:
    @pytest.fixture
    def anyio_backend(self, asyncio_only):
        return asyncio_only

    async def test_instrumenting_adds_to_a_task_the_handle_of_one_done_callback(self):
        with_us = [scope.stats for scope in await self.tasks_of_ours()]
        uninstrument_tasks()
        by_hand = [scope.stats for scope in await self.tasks_with_a_callback()]
        instrument_tasks()
        assert least(with_us).allocations == least(by_hand).allocations
        assert least(with_us).bytes_allocated == least(by_hand).bytes_allocated

    async def tasks_of_ours(self):
        scopes = [None] * ROUNDS
        for number in range(ROUNDS):
            await asyncio.create_task(self.note(scopes, number))
        return scopes

    async def tasks_with_a_callback(self):
        loop = asyncio.get_running_loop()
        scopes = [None] * ROUNDS
        for number in range(ROUNDS):
            scope = measure()
            context = copy_context()
            context.run(scope.__enter__)
            task = loop.create_task(self.note(scopes, number), context=context)
            if not task.done():
                task.add_done_callback(self.nothing, context=copy_context())
            await task
            context.run(scope.__exit__, None, None, None)
        return scopes

    async def note(self, scopes, number):
        scopes[number] = current_scope()
        await asyncio.sleep(0)

    def nothing(self, task):
        pass

    async def test_making_a_task_costs_its_creator_what_it_costs_without_us(self):
        with_us = [await self.creation() for _ in range(ROUNDS)]
        uninstrument_tasks()
        without = [await self.creation() for _ in range(ROUNDS)]
        instrument_tasks()
        assert least(with_us).allocations <= least(without).allocations
        assert least(with_us).bytes_allocated <= least(without).bytes_allocated

    async def creation(self):
        loop = asyncio.get_running_loop()
        coroutine = asyncio.sleep(0)
        with measure() as m:
            task = loop.create_task(coroutine)
        await task
        return m.self_stats

    async def test_threads_of_asyncio_are_charged_to_their_own_task_exactly(self):
        found = {}
        await side_by_side(working_in_a_thread, asyncio.to_thread, found)
        assert found == {SMALL: True, LARGE: True}

    async def test_an_executor_does_not_know_the_task(self):
        async def executing():
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, untouched, LARGE)
            return current_scope()

        scope = await asyncio.create_task(executing())
        assert scope.stats.bytes_allocated < cost(LARGE)

    async def test_what_ends_a_scope_is_charged_to_nobody_else(self):
        task = asyncio.get_running_loop().create_task(asyncio.sleep(0))
        contexts = [end._own for end in gc.get_referents(task) if isinstance(end, TaskEnd)]
        size, before = cost(LARGE), read_own().bytes_allocated
        with measure() as m:
            contexts[0].run(block, LARGE)
        await task
        assert m.stats.bytes_allocated < size <= read_own().bytes_allocated - before
