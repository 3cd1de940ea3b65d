"""`AllocationTracker.measure`: one call, plain or async, and what it allocated."""

from __future__ import annotations

import asyncio
import functools
import sys
import types
from dataclasses import dataclass

import anyio
import pytest

from allocmeter._core.figures import current_scope
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats
from allocmeter.tracker import AllocationTracker
from operations import async_block, block

SIZE = sys.getsizeof(b"x" * 10_000)
ONE_BLOCK = AllocationStats(allocations=1, bytes_allocated=SIZE)
NOTHING = AllocationStats()


def nothing():
    pass


async def async_nothing():
    pass


def as_it_is(fn):
    return fn


def behind_a_plain_function(fn):
    def plain():
        return fn()

    return plain


class AsyncCallable:
    async def __call__(self, size=10_000):
        return b"x" * size

    async def method(self, size=10_000):
        return b"x" * size


@types.coroutine
def generator_based(size=10_000):
    return b"x" * size
    yield


ASYNC_CALLABLES = {
    "coroutine function": async_block,
    "bound method": AsyncCallable().method,
    "partial": functools.partial(async_block, 10_000),
    "partial of a partial": functools.partial(functools.partial(async_block), 10_000),
    "callable object": AsyncCallable(),
    "partial of a callable object": functools.partial(AsyncCallable(), 10_000),
}


@pytest.mark.exact
def test_a_call_gives_its_result_and_what_it_allocated():
    result, stats = AllocationTracker.measure(block)
    assert result == b"x" * 10_000
    assert stats == ONE_BLOCK


@pytest.mark.exact
def test_what_is_freed_before_the_call_ends_is_counted_as_freed():
    def transient():
        block()

    _, stats = AllocationTracker.measure(transient)
    assert stats == AllocationStats(1, 1, 0, SIZE, SIZE)


@pytest.mark.exact
def test_a_call_that_does_nothing_allocates_nothing():
    AllocationTracker.measure(nothing)
    assert AllocationTracker.measure(nothing) == (None, NOTHING)


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_async_call_that_does_nothing_allocates_nothing():
    await AllocationTracker.measure(async_nothing)
    assert await AllocationTracker.measure(async_nothing) == (None, NOTHING)


@pytest.mark.exact
@pytest.mark.anyio
@pytest.mark.parametrize("fn", ASYNC_CALLABLES.values(), ids=ASYNC_CALLABLES)
async def test_an_async_callable_is_measured_while_it_is_awaited(fn):
    awaitable = AllocationTracker.measure(fn)
    result, stats = await awaitable
    assert result == b"x" * 10_000
    assert stats == ONE_BLOCK


@pytest.mark.anyio
async def test_an_async_callable_does_not_start_before_it_is_awaited():
    started = []

    async def operation():
        started.append(True)

    awaitable = AllocationTracker.measure(operation)
    assert not started
    await awaitable
    assert started


@pytest.mark.exact
@pytest.mark.anyio
async def test_a_plain_callable_that_returns_a_coroutine_is_measured_through_it():
    awaitable = AllocationTracker.measure(behind_a_plain_function(async_block))
    result, stats = await awaitable
    assert result == b"x" * 10_000
    # The coroutine is made by the plain function, inside the scope, and is gone when it is done.
    assert stats.allocations == 2
    assert stats.bytes_allocated > SIZE
    assert stats.net_allocations == 1
    assert stats.net_bytes == SIZE


@pytest.mark.exact
@pytest.mark.anyio
async def test_a_generator_based_coroutine_is_awaited():
    result, stats = await AllocationTracker.measure(generator_based)
    assert result == b"x" * 10_000
    assert stats.net_bytes == SIZE


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_callable_that_returns_a_task_is_measured_until_the_task_is_done():
    loop = asyncio.get_running_loop()
    result, stats = await AllocationTracker.measure(lambda: loop.create_task(async_block()))
    assert result == b"x" * 10_000
    assert stats.bytes_allocated > SIZE


@pytest.mark.anyio
async def test_the_scope_is_current_only_while_the_callable_runs():
    outer = current_scope()
    seen = []

    async def operation():
        seen.append(current_scope())

    awaitable = AllocationTracker.measure(behind_a_plain_function(operation))
    assert current_scope() is outer
    await awaitable
    assert current_scope() is outer
    assert seen[0] is not outer
    AllocationTracker.measure(lambda: seen.append(current_scope()))
    assert seen[1] not in (outer, seen[0])
    assert current_scope() is outer


def test_a_class_whose_instances_are_async_callables_is_called_plainly():
    instance, stats = AllocationTracker.measure(AsyncCallable)
    assert isinstance(instance, AsyncCallable)
    assert stats.allocations > 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="marks came with Python 3.12")
@pytest.mark.anyio
async def test_what_a_marked_function_does_before_its_coroutine_runs_is_measured():
    import inspect

    kept = []

    @inspect.markcoroutinefunction
    def marked():
        kept.append(block())
        return async_nothing()

    _, stats = await AllocationTracker.measure(marked)
    assert stats.bytes_allocated >= SIZE


def test_generator_functions_are_refused():
    def generator():
        yield 1

    async def async_generator():
        yield 1

    for fn in (generator, async_generator, functools.partial(generator)):
        with pytest.raises(TypeError, match=r"generator function.*@measured"):
            AllocationTracker.measure(fn)


@pytest.mark.anyio
async def test_arguments_reach_the_callable_whatever_their_names():
    def plain(*args, **kwargs):
        return args, kwargs

    async def coroutine(*args, **kwargs):
        return args, kwargs

    expected = ((1, 2), {"fn": 3, "self": 4, "account": 5, "name": 6})
    result, _ = AllocationTracker.measure(plain, 1, 2, fn=3, self=4, account=5, name=6)
    assert result == expected
    result, _ = await AllocationTracker.measure(coroutine, 1, 2, fn=3, self=4, account=5, name=6)
    assert result == expected


@pytest.mark.exact
@pytest.mark.anyio
async def test_arguments_by_position_and_for_coroutine_functions_by_name_cost_nothing():
    AllocationTracker.measure(block, 0)
    _, stats = AllocationTracker.measure(block, 10_000)
    assert stats == ONE_BLOCK
    _, stats = await AllocationTracker.measure(async_block, size=10_000)
    assert stats == ONE_BLOCK


@pytest.mark.exact
def test_arguments_by_name_cost_a_plain_callable_a_few_small_blocks():
    AllocationTracker.measure(block, size=0)
    _, stats = AllocationTracker.measure(block, size=10_000)
    assert 1 <= stats.allocations <= 6
    assert SIZE <= stats.bytes_allocated < SIZE + 1_000


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_enclosing_scope_contains_the_call_and_nothing_of_the_tracker():
    AllocationTracker.measure(block)
    await AllocationTracker.measure(async_block)
    with measure() as outer:
        kept = AllocationTracker.measure(block)
    assert outer.stats == ONE_BLOCK
    with measure() as outer:
        kept = await AllocationTracker.measure(async_block)
    assert kept[1] == ONE_BLOCK
    # The coroutine of `async_block` itself is made by the call, outside the measured scope.
    assert outer.stats.net_allocations == 1
    assert outer.stats.net_bytes == SIZE


@pytest.mark.exact
@pytest.mark.anyio
async def test_nested_calls_are_contained_in_the_outer_one():
    async def outer():
        return await AllocationTracker.measure(async_block), block(1000)

    ((_, inner_stats), _), outer_stats = await AllocationTracker.measure(outer)
    assert inner_stats == ONE_BLOCK
    assert outer_stats.bytes_allocated >= SIZE + sys.getsizeof(block(1000))


@pytest.mark.exact
@pytest.mark.anyio
async def test_calls_that_overlap_do_not_see_each_other():
    results = {}

    async def operation(size):
        kept = [block(size)]
        await anyio.lowlevel.checkpoint()
        kept.append(block(size))
        return kept

    async def run(size):
        kept, results[size] = await AllocationTracker.measure(operation, size)
        assert len(kept) == 2

    sizes = [100_000 * (index + 1) for index in range(20)]
    async with anyio.create_task_group() as tasks:
        for size in sizes:
            tasks.start_soon(run, size)
    for size in sizes:
        own = 2 * sys.getsizeof(block(size))
        assert own <= results[size].bytes_allocated < own + 10_000


@pytest.mark.anyio
async def test_figures_are_final_when_the_call_ends():
    async def late():
        await anyio.lowlevel.checkpoint()
        kept.append(block(100_000))

    async def operation(tasks):
        tasks.start_soon(late)

    kept = []
    async with anyio.create_task_group() as tasks:
        _, stats = await AllocationTracker.measure(operation, tasks)
    assert len(kept) == 1
    assert stats.bytes_allocated < 100_000


def test_an_exception_propagates_with_the_figures_so_far():
    def operation():
        kept.append(block(100_000))
        raise error

    kept, error = [], ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        AllocationTracker.measure(operation)
    assert caught.value is error
    stats = AllocationTracker.stats_of(error)
    assert 100_000 < stats.bytes_allocated < 200_000
    assert not hasattr(error, "__notes__")


@pytest.mark.anyio
@pytest.mark.parametrize("wrap", [as_it_is, behind_a_plain_function])
async def test_an_exception_of_an_async_callable_propagates_with_the_figures_so_far(wrap):
    async def operation():
        kept.append(block(100_000))
        await anyio.lowlevel.checkpoint()
        raise error

    kept, error = [], ValueError("no")
    outer = current_scope()
    with pytest.raises(ValueError, match="no") as caught:
        await AllocationTracker.measure(wrap(operation))
    assert caught.value is error
    assert 100_000 < AllocationTracker.stats_of(error).bytes_allocated < 200_000
    assert current_scope() is outer


@pytest.mark.anyio
async def test_a_cancelled_call_keeps_its_figures_too():
    seen = []

    async def operation():
        kept.append(block(100_000))
        await anyio.sleep_forever()

    kept = []
    with anyio.move_on_after(0.01):
        try:
            await AllocationTracker.measure(operation)
        except anyio.get_cancelled_exc_class() as error:
            seen.append(AllocationTracker.stats_of(error))
            raise
    assert len(seen) == 1
    assert 100_000 < seen[0].bytes_allocated < 200_000


def test_exceptions_that_cannot_be_given_attributes_carry_figures_as_well():
    @dataclass(frozen=True)
    class FrozenError(Exception):
        code: int

    def operation():
        raise FrozenError(5)

    with pytest.raises(FrozenError) as caught:
        AllocationTracker.measure(operation)
    assert AllocationTracker.stats_of(caught.value) is not None


def test_an_exception_that_left_several_calls_has_the_figures_of_the_last():
    kept = []

    def inner():
        kept.append(block(1_000))
        raise ValueError

    def outer():
        kept.append(block(100_000))
        try:
            AllocationTracker.measure(inner)
        except ValueError as error:
            kept.append(AllocationTracker.stats_of(error))
            raise

    with pytest.raises(ValueError) as caught:
        AllocationTracker.measure(outer)
    assert kept[2].bytes_allocated < 100_000
    assert AllocationTracker.stats_of(caught.value).bytes_allocated > 100_000


def test_other_exceptions_have_no_figures():
    assert AllocationTracker.stats_of(ValueError()) is None


@pytest.mark.anyio
async def test_arguments_that_do_not_fit_fail_the_call_plain_or_async():
    with pytest.raises(TypeError, match="unexpected keyword") as caught:
        AllocationTracker.measure(block, colour=1)
    assert AllocationTracker.stats_of(caught.value) is not None
    with pytest.raises(TypeError, match="unexpected keyword") as caught:
        await AllocationTracker.measure(async_block, colour=1)
    assert AllocationTracker.stats_of(caught.value) is not None


def test_an_instance_measures_as_the_class_does():
    result, stats = AllocationTracker().measure(block)
    assert (len(result), stats.net_allocations) == (10_000, 1)
