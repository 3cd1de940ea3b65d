"""However a scope is left, it keeps its figures, and failures are counted apart."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import pytest
import trio
from anyio.lowlevel import checkpoint

from allocmeter import AllocationStats, Registry, measure
from allocmeter._core.figures import current_scope
from operations import block, cost, fail, one_block

AWAITS = 8
SIZE = 100_000


@pytest.fixture
def registry():
    return Registry()


def outcomes(registry, name="body"):
    row = registry.row(name)
    return row.count, row.errors, row.cancelled


# Exceptions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_scope_that_an_exception_leaves_keeps_its_figures_and_counts_as_an_error(registry, error):
    with suppress(error), registry.measure("body") as m:
        kept = block(SIZE)
        raise error
    assert m.is_closed
    assert m.retained_bytes >= cost(len(kept))
    assert outcomes(registry) == (1, 1, 0)


def test_errors_are_counted_apart_from_successes_and_in_every_scope_around(registry):
    for function in (block, fail, block):
        with suppress(ValueError), registry.measure("outer"), registry.measure("body"):
            function(SIZE)
    with registry.measure("outer"), suppress(ValueError), registry.measure("body"):
        fail(SIZE)
    assert outcomes(registry) == (4, 2, 0)
    assert outcomes(registry, "outer") == (4, 1, 0)


@pytest.mark.anyio
async def test_an_exception_group_that_a_task_group_raises_is_an_error(registry):
    with suppress(ExceptionGroup):
        async with registry.measure("body"), anyio.create_task_group() as tasks:
            tasks.start_soon(checkpoint)
            fail(SIZE)
    assert outcomes(registry) == (1, 1, 0)


# Cancellation -----------------------------------------------------------------------------------


async def body(registry, scopes, kept, cancel_at=None, cancel=None):
    async with registry.measure("body") as m:
        scopes.append(m)
        for at in range(AWAITS):
            if at == cancel_at:
                cancel()
            kept.append(block(SIZE))
            await checkpoint()


@pytest.mark.anyio
async def test_cancelled_at_any_await_a_scope_keeps_the_figures_up_to_there(registry):
    for cancel_at in range(AWAITS):
        scopes, kept = [], []
        with anyio.CancelScope() as cancel_scope:
            await body(registry, scopes, kept, cancel_at, cancel_scope.cancel)
        assert cancel_scope.cancelled_caught
        assert len(kept) == cancel_at + 1
        assert scopes[0].stats.bytes_allocated // SIZE == len(kept)
        assert scopes[0].is_closed
        assert current_scope() is None
    assert outcomes(registry) == (AWAITS, 0, AWAITS)


@pytest.mark.anyio
async def test_a_neighbour_that_cancels_does_not_disturb_the_other_tasks(registry):
    scopes, kept = [], []
    async with anyio.create_task_group() as tasks:
        for cancel_at in (*range(AWAITS), None):
            cancel_scope = anyio.CancelScope()

            async def task(cancel_at=cancel_at, cancel_scope=cancel_scope):
                with cancel_scope:
                    await body(registry, scopes, kept, cancel_at, cancel_scope.cancel)

            tasks.start_soon(task)
    found = sorted(m.stats.bytes_allocated // SIZE for m in scopes)
    assert found == [*range(1, AWAITS + 1), AWAITS]
    assert outcomes(registry) == (AWAITS + 1, 0, AWAITS)


@pytest.mark.anyio
async def test_a_timeout_cancels_the_scope_inside_and_fails_the_one_around(registry):
    with suppress(TimeoutError):
        async with registry.measure("around"):
            with anyio.fail_after(0.001):
                async with registry.measure("body"):
                    await anyio.sleep(60)
    assert outcomes(registry) == (1, 0, 1)
    assert outcomes(registry, "around") == (1, 1, 0)


@pytest.mark.anyio
async def test_a_scope_around_a_task_group_that_is_cancelled_counts_as_cancelled(registry):
    async def group():
        async with registry.measure("body"), anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(group)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert outcomes(registry) == (1, 0, 1)


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.anyio
async def test_a_scope_around_a_nursery_that_is_cancelled_counts_as_cancelled(registry):
    with trio.CancelScope() as cancel_scope:
        async with registry.measure("body"), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            cancel_scope.cancel()
            await trio.sleep_forever()
    assert outcomes(registry) == (1, 0, 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_task_that_asyncio_cancels_counts_as_cancelled(registry):
    scopes, kept = [], []
    task = asyncio.create_task(body(registry, scopes, kept))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scopes[0].stats.bytes_allocated // SIZE == len(kept)
    assert outcomes(registry) == (1, 0, 1)


# Out of order -------------------------------------------------------------------------------


@pytest.mark.exact
def test_scopes_may_be_left_in_any_order():
    first, second, third = (measure() for _ in range(3))
    with first, second, third:
        pass
    first, second, third = scopes = [measure() for _ in range(3)]
    for scope in scopes:
        scope.__enter__()
    second.__exit__(None, None, None)
    a = block(1_000)
    first.__exit__(None, None, None)
    b = block(2_000)
    assert current_scope() is third
    third.__exit__(None, None, None)
    assert current_scope() is None
    both = AllocationStats(allocations=2, bytes_allocated=cost(len(a)) + cost(len(b)))
    assert third.stats == both
    assert first.stats == one_block(len(a))
    assert second.stats == AllocationStats()
    assert second.late_stats == both
