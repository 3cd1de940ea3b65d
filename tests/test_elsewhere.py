"""A scope that is left in another task, thread or context than it was entered in."""

from __future__ import annotations

import contextvars
import functools
import threading
from contextlib import aclosing

import anyio
import pytest
from anyio.lowlevel import checkpoint

from allocmeter import detached, measure
from allocmeter._core.figures import current_scope
from operations import block, cost

SIZE = 100_000


def in_a_context_of_its_own(test):
    """Keep what a failing test leaves behind from the tests after it."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        contextvars.Context().run(test, *args, **kwargs)

    return run


def in_a_copy(function):
    contextvars.copy_context().run(function)


def in_another_context(function):
    contextvars.Context().run(function)


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def in_a_thread_with_a_copy(function):
    in_a_thread(lambda: in_a_copy(function))


PLACES = [in_a_copy, in_another_context, in_a_thread, in_a_thread_with_a_copy]


@pytest.mark.exact
@in_a_context_of_its_own
@pytest.mark.parametrize("elsewhere", PLACES)
def test_a_scope_left_elsewhere_is_not_current_any_more_where_it_was_entered(elsewhere):
    with measure() as around:
        m = measure()
        m.__enter__()
        elsewhere(lambda: m.__exit__(None, None, None))
        # No deallocations: what a thread leaves behind may go after it was joined.
        late = m.late_stats
        before = around.stats
        kept = block(5_000)
        after = around.stats
        assert m.late_stats.allocations == late.allocations
        assert after.bytes_allocated == before.bytes_allocated + cost(len(kept))
        assert current_scope() is around


@pytest.mark.exact
@in_a_context_of_its_own
@pytest.mark.parametrize("elsewhere", PLACES)
def test_a_scope_may_be_left_by_a_thread_or_context_while_others_are_inside(elsewhere):
    m = measure()
    m.__enter__()
    inherited = contextvars.copy_context()
    elsewhere(lambda: m.__exit__(None, None, None))
    late = m.late_stats
    kept = inherited.run(block, 5_000)
    assert (m.late_stats - late).allocations == 1
    assert (m.late_stats - late).bytes_allocated == cost(len(kept))


# Async generators -------------------------------------------------------------------------------


async def items(scopes):
    async with measure() as m:
        scopes.append(m)
        for _ in range(5):
            yield block(SIZE)
            await checkpoint()


async def close_here(generator):
    await generator.aclose()


async def close_in_another_task(generator):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(generator.aclose)


@pytest.mark.anyio
@pytest.mark.parametrize("close", [close_here, close_in_another_task])
async def test_an_async_generator_closed_anywhere_leaves_no_scope_behind(close):
    scopes = []
    generator = items(scopes)
    kept = [await anext(generator) for _ in range(2)]
    await close(generator)
    assert scopes[0].is_closed
    assert scopes[0].stats.bytes_allocated // SIZE == len(kept)
    assert current_scope() is None


@pytest.mark.anyio
async def test_an_async_generator_that_other_tasks_step_through_leaves_no_scope_behind():
    scopes = []
    generator = items(scopes)
    async with aclosing(generator):
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(generator.__anext__)
            assert current_scope() is None
    assert scopes[0].is_closed


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")  # trio's advice
@pytest.mark.anyio
async def test_an_async_generator_that_is_dropped_half_way_leaves_no_scope_behind():
    scopes = []
    generator = items(scopes)
    await anext(generator)
    del generator  # the event loop closes it, in a task of its own
    while not scopes[0].is_closed:
        await anyio.sleep(0.001)
    assert current_scope() is None


def test_an_object_of_detached_is_for_one_block():
    once = detached()
    with once:
        pass
    with pytest.raises(RuntimeError, match="has been used"):
        once.__enter__()
    with detached() as twice, pytest.raises(RuntimeError, match="entered already"):
        twice.__enter__()
