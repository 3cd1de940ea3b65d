"""A scope contains what is started inside it: scopes, tasks, threads, callbacks."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import anyio
import pytest
import trio
from anyio import to_thread
from anyio.lowlevel import checkpoint

from allocmeter import AllocationStats, detached, measure, measured
from allocmeter._core.figures import current_scope
from operations import block, cost, one_block, transient

MIB = 1 << 20


# Scopes -----------------------------------------------------------------------------------------


@pytest.mark.exact
def test_a_scope_contains_the_scopes_inside_it_and_can_tell_them_from_itself():
    with measure() as outer:
        a = block(1_000)
        with measure() as middle:
            b = block(2_000)
            with measure() as inner:
                c = block(4_000)
        d = block(8_000)
    kept = [cost(len(one)) for one in (a, b, c, d)]
    assert outer.stats == AllocationStats(allocations=4, bytes_allocated=sum(kept))
    assert outer.self_stats == AllocationStats(allocations=2, bytes_allocated=kept[0] + kept[3])
    assert middle.stats == AllocationStats(allocations=2, bytes_allocated=kept[1] + kept[2])
    assert middle.self_stats == one_block(2_000)
    assert inner.stats == inner.self_stats == one_block(4_000)


@pytest.mark.exact
def test_the_peak_of_a_scope_is_its_own_high_water_mark_not_the_sum_of_those_inside():
    with measure() as outer:
        kept = block(1_000)
        with measure() as first:
            transient(50_000)
        with measure() as second:
            transient(20_000)
    assert (first.peak_bytes, second.peak_bytes) == (cost(50_000), cost(20_000))
    assert outer.peak_bytes == cost(len(kept)) + cost(50_000)
    assert outer.peak_allocations == 2


@pytest.mark.exact
def test_ten_mebibytes_for_a_moment_show_in_every_peak_around():
    with measure() as outer, measure() as inner:
        transient(10_485_760)
    assert outer.peak_bytes == inner.peak_bytes == cost(10_485_760)
    assert outer.retained_bytes == 0


@pytest.mark.exact
def test_a_block_counts_in_a_thousand_scopes_around_it():
    scopes = [measure() for _ in range(1_000)]
    for scope in scopes:
        scope.__enter__()
    kept = block(5_000)
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    assert all(scope.stats == scopes[-1].stats for scope in scopes)
    assert scopes[0].self_stats == AllocationStats()
    assert scopes[0].retained_bytes == cost(len(kept))


@pytest.mark.exact
def test_what_is_allocated_in_a_detached_block_belongs_to_no_scope():
    with measure() as m:
        with detached():
            outside = block(50_000)
            with measure() as inner:
                apart = block(7_000)
        kept = block(1_000)
    assert m.stats == one_block(len(kept))
    assert inner.stats == one_block(len(apart))
    del outside
    assert m.late_stats == AllocationStats()


# Tasks ------------------------------------------------------------------------------------------


async def child(scopes):
    async with measure() as m:
        kept = block(MIB)
        await checkpoint()
        await checkpoint()
        del kept
    scopes.append(m)


async def child_without_a_scope(_):
    kept = block(MIB)
    await checkpoint()
    await checkpoint()
    del kept


async def by_anyio_task_group(function, scopes):
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(function, scopes)


async def by_task_group(function, scopes):
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(function(scopes))


async def by_gather(function, scopes):
    await asyncio.gather(*(function(scopes) for _ in range(3)))


async def by_create_task(function, scopes):
    for task in [asyncio.create_task(function(scopes)) for _ in range(3)]:
        await task


async def by_wait_for(function, scopes):
    await asyncio.gather(*(asyncio.wait_for(function(scopes), 60) for _ in range(3)))


async def by_nursery(function, scopes):
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(function, scopes)


async def assert_contains_children(start):
    scopes = []
    async with measure() as around:
        await start(child, scopes)
    assert [m.stats.bytes_allocated // MIB for m in scopes] == [1, 1, 1]
    assert 3 * MIB < around.peak_bytes < 4 * MIB
    assert around.stats.bytes_allocated >= sum(m.stats.bytes_allocated for m in scopes)
    assert around.self_stats.bytes_allocated < MIB
    async with measure() as around:
        await start(child_without_a_scope, scopes)
    assert 3 * MIB < around.self_stats.bytes_allocated < 4 * MIB


@pytest.mark.anyio
async def test_a_scope_contains_the_tasks_of_a_task_group():
    await assert_contains_children(by_anyio_task_group)


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.anyio
async def test_a_scope_contains_the_tasks_of_a_nursery():
    await assert_contains_children(by_nursery)


class TestAsyncio:
    @pytest.fixture
    def anyio_backend(self, asyncio_only):
        return asyncio_only

    @pytest.mark.anyio
    @pytest.mark.parametrize("start", [by_task_group, by_gather, by_create_task, by_wait_for])
    async def test_a_scope_contains_the_tasks_started_inside(self, start):
        await assert_contains_children(start)

    @pytest.mark.anyio
    async def test_a_scope_contains_the_callbacks_scheduled_inside(self):
        loop = asyncio.get_running_loop()
        results = []

        def callback(size):
            results.append((block(size), current_scope()))

        async with measure() as m:
            loop.call_soon(callback, MIB)
            loop.call_later(0.001, callback, MIB)
            loop.call_soon_threadsafe(callback, MIB)
            while len(results) < 3:
                await asyncio.sleep(0.001)
        assert m.retained_bytes >= 3 * MIB
        assert [scope for _, scope in results] == [m] * 3

    @pytest.mark.anyio
    async def test_asyncio_to_thread_belongs_to_the_scope_and_a_bare_executor_does_not(self):
        async with measure() as m:
            inside = await asyncio.to_thread(block, MIB)
            outside = await asyncio.get_running_loop().run_in_executor(None, block, 5 * MIB)
        assert len(inside) < m.retained_bytes < len(outside)


@pytest.mark.anyio
async def test_tasks_started_in_a_detached_block_belong_to_no_scope():
    results = []

    async def task():
        results.append((block(MIB), current_scope()))

    async with anyio.create_task_group() as tasks, measure() as m:
        with detached():
            tasks.start_soon(task)
        while not results:
            await anyio.sleep(0.001)
    assert results[0][1] is None
    assert m.stats.bytes_allocated < MIB


# Threads and contexts ---------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_worker_thread_of_anyio_belongs_to_the_scope():
    async with measure() as m:
        kept = await to_thread.run_sync(block, MIB)
    assert m.retained_bytes > len(kept)


@pytest.mark.exact
def test_a_plain_thread_has_a_context_of_its_own_and_belongs_to_no_scope():
    results = []
    with measure() as m:
        thread = threading.Thread(target=lambda: results.append((block(MIB), current_scope())))
        thread.start()
        thread.join()
    assert results[0][1] is None
    assert m.stats.bytes_allocated < MIB


@pytest.mark.exact
def test_a_copied_context_takes_the_scope_along_wherever_it_runs():
    with measure() as m:
        context = contextvars.copy_context()
    base = m.retained_bytes
    kept = [context.run(block, 5_000)]
    thread = threading.Thread(target=lambda: kept.append(context.run(block, 7_000)))
    thread.start()
    thread.join()
    assert m.retained_bytes - base == cost(5_000) + cost(7_000)


# Generators -------------------------------------------------------------------------------------


def generator_with_a_scope_across_its_items(scopes):
    scopes.append(current_scope())
    with measure() as inner:
        scopes.append(inner)
        for _ in range(3):
            assert current_scope() is inner
            yield block(MIB)
    assert current_scope() is scopes[0]
    yield block(MIB)


def test_a_scope_held_open_in_a_generator_stays_in_its_body_when_that_is_measured():
    scopes = []
    kept = []
    for item in measured(generator_with_a_scope_across_its_items)(scopes):
        assert current_scope() is None
        kept.append((item, block(5 * MIB)))
    outer, inner = scopes
    assert inner.stats.bytes_allocated // MIB == 3
    assert outer.stats.bytes_allocated // MIB == 4


def test_a_scope_held_open_in_a_plain_generator_is_gone_with_it():
    scopes = []
    with measure() as around:
        kept = list(generator_with_a_scope_across_its_items(scopes))
        assert current_scope() is around
    assert len(kept) == 4
    assert scopes[1].retained_bytes // MIB == 3
    assert around.self_stats.bytes_allocated // MIB == 1
