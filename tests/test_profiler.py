"""`AllocationProfiler`: runs of every form, and their failures."""

from __future__ import annotations

import functools
import gc
import inspect
import threading

import anyio
import pytest

from allocmeter import AllocationProfiler, AllocationStats, measure
from operations import (
    async_block,
    block,
    cost,
    fail,
    one_block,
    profiled_blocks,
    returning_a_coroutine,
    transient,
)


@pytest.fixture
def profiler():
    return profiled_blocks()


@pytest.mark.exact
def test_a_plain_call_gives_its_result_and_is_stored():
    profiler = AllocationProfiler()
    assert profiler.profile(block) == block()
    assert profiler.measurements == (one_block(),)
    assert (profiler.count, profiler.failures) == (1, 0)


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_async_call_gives_its_result_when_awaited_and_is_stored():
    profiler = AllocationProfiler()
    for fn in (async_block, functools.partial(async_block, 10_000), returning_a_coroutine):
        awaitable = profiler.profile(fn)
        assert await awaitable == block()
    assert profiler.measurements[:2] == (one_block(), one_block())
    assert profiler.measurements[2].net_bytes == cost(10_000)


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_empty_run_is_exactly_nothing_in_every_form():
    profiler = AllocationProfiler()

    def nothing():
        pass

    async def async_nothing():
        pass

    decorated, async_decorated = profiler(nothing), profiler(async_nothing)
    for _ in range(3):
        profiler.profile(nothing)
        await profiler.profile(async_nothing)
        decorated()
        await async_decorated()
        with profiler.measure():
            pass
        async with profiler.measure():
            pass
    assert profiler.measurements == (AllocationStats(),) * 18


@pytest.mark.exact
@pytest.mark.anyio
async def test_a_block_is_measured_and_gives_its_scope():
    profiler = AllocationProfiler("block")
    with profiler.measure() as plain:
        first = block()
    async with profiler.measure() as asynchronous:
        second = block()
    assert isinstance(plain, measure)
    assert plain.name == asynchronous.name == "block"
    assert plain.stats == asynchronous.stats == one_block()
    assert profiler.measurements == (one_block(), one_block())
    assert first == second


def test_a_block_measures_once():
    profiler = AllocationProfiler()
    once = profiler.measure()
    with once:
        pass
    with pytest.raises(RuntimeError), once:
        pass
    assert profiler.count == 1


def test_an_open_block_is_stored_only_when_it_ends():
    profiler = AllocationProfiler()
    with profiler.measure():
        assert profiler.count == 0
        profiler.reset()
    assert profiler.count == 1


@pytest.mark.exact
@pytest.mark.anyio
async def test_storing_falls_into_no_scope_of_the_user():
    profiler = AllocationProfiler()
    profiler.profile(block)
    with measure() as outer:
        profiler.profile(transient)
    assert outer.stats == AllocationStats(1, 1, 0, cost(10_000), cost(10_000))
    with measure() as outer:
        with profiler.measure():
            pass
        async with profiler.measure():
            pass
    # The statements themselves bind `__enter__` and the like, and drop them again.
    assert outer.stats.allocations <= 4
    assert outer.stats.net_allocations == 0


@pytest.mark.exact
def test_reading_figures_falls_into_no_scope_of_the_user(profiler):
    readings = [
        lambda: profiler.measurements,
        lambda: profiler.failed_measurements,
        lambda: profiler.mean_bytes,
        lambda: profiler.median_allocations,
        lambda: profiler.percentile_bytes(95),
        lambda: profiler.histogram(5),
        lambda: profiler.failures,
    ]
    for read in readings:
        read()
        with measure() as outer:
            read()
        assert outer.stats.net_bytes == 0, inspect.getsource(read)


@pytest.mark.anyio
async def test_runs_that_overlap_are_stored_apart():
    profiler = AllocationProfiler()

    async def operation(size):
        kept = block(size)
        await anyio.lowlevel.checkpoint()
        return kept

    sizes = [100_000 * (index + 1) for index in range(20)]
    async with anyio.create_task_group() as tasks:
        for size in sizes:
            tasks.start_soon(profiler.profile, operation, size)
    assert profiler.count == 20
    for size, figure in zip(
        sizes, sorted(stats.bytes_allocated for stats in profiler.measurements), strict=True
    ):
        assert size < figure < size + 10_000


def test_threads_may_share_a_profiler():
    profiler = AllocationProfiler(max_measurements=10)

    def work():
        for _ in range(200):
            profiler.profile(block, 100)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert profiler.count == 800
    assert len(profiler.measurements) == 10


def test_generator_functions_are_refused():
    def generator():
        yield 1

    profiler = AllocationProfiler()
    with pytest.raises(TypeError, match="generator function"):
        profiler.profile(generator)
    with pytest.raises(TypeError, match="generator function"):
        profiler(generator)
    assert profiler.count == 0


# Failures


def test_a_failed_run_propagates_and_is_stored_apart(profiler):
    with pytest.raises(ValueError, match="10000"):
        profiler.profile(fail)
    with pytest.raises(ValueError, match="10000"), profiler.measure():
        fail()
    assert (profiler.count, profiler.errors, profiler.cancelled, profiler.failures) == (5, 2, 0, 2)
    assert len(profiler.measurements) == 5
    assert len(profiler.failed_measurements) == 2
    assert all(stats.bytes_allocated >= 10_000 for stats in profiler.failed_measurements)


@pytest.mark.anyio
async def test_a_failed_async_run_propagates_and_is_stored_apart():
    async def operation():
        await anyio.lowlevel.checkpoint()
        fail()

    profiler = AllocationProfiler()
    with pytest.raises(ValueError):
        await profiler.profile(operation)
    with pytest.raises(ValueError):
        await profiler(operation)()
    with pytest.raises(ValueError):
        async with profiler.measure():
            await operation()
    assert (profiler.count, profiler.errors, profiler.cancelled) == (0, 3, 0)
    assert len(profiler.failed_measurements) == 3


@pytest.mark.anyio
async def test_a_cancelled_run_is_no_error():
    async def operation():
        kept = block()
        await anyio.sleep_forever()
        del kept

    profiler = AllocationProfiler()
    with anyio.move_on_after(0.01):
        await profiler.profile(operation)
    with anyio.move_on_after(0.01):
        async with profiler.measure():
            await operation()
    assert (profiler.count, profiler.errors, profiler.cancelled, profiler.failures) == (0, 0, 2, 2)
    assert all(stats.bytes_allocated >= 10_000 for stats in profiler.failed_measurements)


def test_failures_are_not_in_the_statistics(profiler):
    mean, largest = profiler.mean_bytes, profiler.percentile_bytes(100)
    with pytest.raises(ValueError):
        profiler.profile(fail, 1_000_000)
    assert profiler.mean_bytes == mean
    assert profiler.percentile_bytes(100) == largest


def test_the_representation_tells_name_and_counts(profiler):
    assert repr(profiler) == "<AllocationProfiler 'blocks': 5 measured, 0 failed>"
    assert repr(AllocationProfiler()) == "<AllocationProfiler: 0 measured, 0 failed>"


def test_a_profiler_that_is_dropped_is_freed_at_once():
    import weakref

    gc.disable()
    try:
        profiler = AllocationProfiler()
        profiler.profile(block)
        with profiler.measure():
            pass
        reference = weakref.ref(profiler)
        del profiler
        assert reference() is None
    finally:
        gc.enable()
