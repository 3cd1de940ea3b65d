"""A quiet task is charged for nothing that its neighbours do, however many and however noisy.

It may be charged for the event loop's own bookkeeping inside its steps, which depends on what
else is going on: asyncio grows its queue of ready handles (528 bytes) or its table of current tasks
(160 bytes) in whichever task is running, trio its sets of runnable tasks.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from allocmeter import measure
from blocks import untouched

pytestmark = pytest.mark.exact

MIB = 1 << 20
ODD = 123_457
AWAITS = 20


async def noisy_task():
    while True:
        kept = untouched(MIB), untouched(ODD)
        await checkpoint()
        del kept


async def quiet_task():
    async with measure() as m:
        for _ in range(AWAITS):
            await checkpoint()
    return m


def close_to(alone, beside, awaits):
    more = beside.stats - alone.stats
    return (
        abs(more.allocations) <= awaits
        and abs(more.bytes_allocated) <= 1024 * awaits
        and abs(beside.peak_bytes - alone.peak_bytes) <= 1024 * awaits
    )


# Tasks ------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("neighbours", [1, 10, 1_000])
async def test_a_quiet_task_reports_beside_noisy_ones_what_it_reports_alone(neighbours):
    await quiet_task()
    alone = await quiet_task()
    async with anyio.create_task_group() as tasks:
        for _ in range(neighbours):
            tasks.start_soon(noisy_task)
        await checkpoint()
        beside = await quiet_task()
        tasks.cancel_scope.cancel()
    assert close_to(alone, beside, AWAITS)
    assert beside.peak_bytes < ODD


async def task_with_blocks_of(length, results):
    async with measure() as m:
        for _ in range(AWAITS):
            kept = untouched(length)
            await checkpoint()
            del kept
    results[length] = m


@pytest.mark.anyio
@pytest.mark.parametrize("neighbours", [1, 10, 1_000])
async def test_each_of_many_tasks_has_its_own_blocks_and_nobody_elses(neighbours):
    results = {}
    await task_with_blocks_of(MIB, results)
    await task_with_blocks_of(MIB, results)
    alone = results.pop(MIB)
    async with anyio.create_task_group() as tasks:
        for step in range(neighbours):
            tasks.start_soon(task_with_blocks_of, ODD + 100 * step, results)
    for length, m in results.items():
        smaller = MIB - length
        more_bytes = m.stats.bytes_allocated - alone.stats.bytes_allocated + AWAITS * smaller
        assert abs(more_bytes) <= 1024 * AWAITS
        assert abs(m.stats.allocations - alone.stats.allocations) <= AWAITS
        assert abs(m.peak_bytes - alone.peak_bytes + smaller) <= 1024 * AWAITS
        assert m.retained_bytes <= 1024 * AWAITS


# Threads ----------------------------------------------------------------------------------------


LENGTHS = [(length,) for length in range(300, 3_000)]


def noisy_work(stop):
    stopped = False
    while not stopped:
        kept = untouched(MIB), untouched(ODD)
        del kept
        stopped = stop.wait(0.001)


def quiet_work():
    lengths = iter(LENGTHS)  # since 3.14 its memory is kept, for whichever thread is the next
    with measure() as m:
        for length in lengths:
            kept = bytes(*length)
        del kept
    return m.stats, m.peak_bytes, m.peak_allocations


@pytest.fixture
def hasty_threads():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    gc.disable()  # it would run in whichever thread is the next to allocate
    yield
    gc.enable()
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("neighbours", [1, 10])
def test_a_quiet_thread_reports_beside_noisy_ones_exactly_what_it_reports_alone(neighbours):
    alone = quiet_work()
    stop = threading.Event()
    with ThreadPoolExecutor(neighbours) as threads:
        for _ in range(neighbours):
            threads.submit(noisy_work, stop)
        beside = quiet_work()
        stop.set()
    assert beside == alone


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_all_measure_are_all_exact():
    alone = quiet_work()
    with ThreadPoolExecutor(8) as threads:
        assert [f.result() for f in [threads.submit(quiet_work) for _ in range(32)]] == [alone] * 32


async def start_workers(run, count):
    """Have threads ready, because starting one allocates in the task that needs it."""
    barrier = threading.Barrier(count)
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(run, barrier.wait)


async def measured_work(run):
    """Return the scope that allocated least of ten: threads fill and drain the free lists."""
    scopes = []
    for _ in range(10):
        async with measure() as m:
            inside = await run(quiet_work)
        scopes.append(m)
    assert all(m.peak_bytes < ODD for m in scopes)
    return min(scopes, key=lambda m: m.stats.allocations), inside


async def assert_isolated(run, neighbours):
    stop = threading.Event()

    async def neighbour():
        async with measure() as m:
            await run(partial(noisy_work, stop))
        assert m.peak_bytes > MIB

    await start_workers(run, neighbours + 1)
    alone, inside_alone = await measured_work(run)
    async with anyio.create_task_group() as tasks:
        for _ in range(neighbours):
            tasks.start_soon(neighbour)
        await anyio.sleep(0.05)
        beside, inside_beside = await measured_work(run)
        stop.set()
    assert inside_beside == inside_alone
    assert close_to(alone, beside, awaits=4)  # of which to_thread is made


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.anyio
@pytest.mark.parametrize("neighbours", [1, 10])
async def test_a_worker_of_anyio_is_not_charged_for_the_workers_beside_it(neighbours):
    run = partial(to_thread.run_sync, limiter=anyio.CapacityLimiter(neighbours + 1))
    await assert_isolated(run, neighbours)


class TestAsyncio:
    @pytest.fixture
    def anyio_backend(self, asyncio_only):
        return asyncio_only

    @pytest.mark.usefixtures("hasty_threads")
    @pytest.mark.anyio
    @pytest.mark.parametrize("neighbours", [1, 10])
    async def test_a_worker_of_asyncio_is_not_charged_for_the_workers_beside_it(self, neighbours):
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(neighbours + 1))
        await assert_isolated(asyncio.to_thread, neighbours)
