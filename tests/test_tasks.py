"""Every task has a scope, on every event loop."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest
import trio
from anyio import from_thread, to_thread
from anyio.lowlevel import checkpoint

from allocmeter import backend_info, measure
from allocmeter._core.figures import current_scope
from blocks import untouched
from instrumented import _instrumented, child, failing, outcome, rows  # noqa: F401
from operations import cost

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("instrumented")]

SIZE = 300_000


async def hold(size):
    kept = untouched(size)
    await checkpoint()
    return len(kept)


async def holding_in_a_thread(size):
    return await to_thread.run_sync(untouched, size)


async def parent():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, SIZE)
        tasks.start_soon(hold, 2 * SIZE)


async def blocked():
    await anyio.sleep_forever()


async def started(*, task_status):
    kept = untouched(SIZE)
    task_status.started()
    await checkpoint()
    del kept


async def test_a_task_is_named_after_its_coroutine():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child)
        tasks.start_soon(child)
    assert outcome(child) == (2, 0, 0)


async def test_a_task_in_a_task_contains_what_it_allocates():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(parent)
    inner, outer = rows()["hold"], rows()["parent"]
    assert (inner.count, outer.count) == (2, 1)
    assert inner.bytes_allocated.min >= cost(SIZE)
    assert inner.bytes_allocated.max < cost(2 * SIZE) + 20_000
    assert outer.bytes_allocated.sum >= inner.bytes_allocated.sum
    assert outer.peak_bytes.max >= cost(SIZE) + cost(2 * SIZE)


async def test_a_task_lies_within_the_scope_it_was_started_in():
    async with measure() as around, anyio.create_task_group() as tasks:
        tasks.start_soon(hold, SIZE)
    assert around.stats.bytes_allocated >= rows()["hold"].bytes_allocated.sum >= cost(SIZE)
    assert around.self_stats.bytes_allocated < cost(SIZE)


async def test_a_scope_in_a_task_is_nested_in_the_one_of_the_task():
    found = []

    async def nesting():
        outer = current_scope()
        with measure() as inner:
            found.append(untouched(SIZE))
        found[:] = [outer, inner]
        assert current_scope() is outer

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(nesting)
    outer, inner = found
    assert inner.stats.bytes_allocated >= cost(SIZE)
    assert outer.stats.bytes_allocated >= inner.stats.bytes_allocated


async def test_a_task_that_raises_counts_as_an_error():
    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(failing)
    assert caught.group_contains(ValueError)
    assert outcome(failing) == (1, 1, 0)


async def test_a_task_that_is_cancelled_counts_as_that():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(blocked)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert outcome(blocked) == (1, 0, 1)


async def test_a_task_that_fails_takes_its_neighbours_along_as_cancelled_ones():
    with pytest.raises(ExceptionGroup):  # noqa: PT012
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(blocked)
            tasks.start_soon(failing)
    assert (outcome(blocked), outcome(failing)) == ((1, 0, 1), (1, 1, 0))


async def test_a_task_whose_start_is_awaited_has_a_scope(anyio_backend_name):
    async with anyio.create_task_group() as tasks:
        await tasks.start(started)
    (row,) = (row for row in rows().values() if row.name.startswith("started"))
    assert (row.name, row.count) == ("started", 1)
    assert row.bytes_allocated.max >= cost(SIZE)


async def test_work_in_a_thread_belongs_to_the_task_that_waits_for_it():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(holding_in_a_thread, SIZE)
        tasks.start_soon(child)
    assert rows()["holding_in_a_thread"].bytes_allocated.max >= cost(SIZE)
    assert rows()["child"].bytes_allocated.max < cost(SIZE)


async def test_a_thread_that_calls_back_into_the_loop_stays_within_its_task():
    async def calling_back():
        await to_thread.run_sync(from_thread.run, hold, SIZE)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calling_back)
    (row,) = (row for row in rows().values() if "calling_back" in row.name)
    assert row.bytes_allocated.max >= cost(SIZE)


async def test_the_figures_are_final_before_anybody_who_waited_goes_on():
    for expected in range(1, 5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)
        assert outcome(child) == (expected, 0, 0)


async def test_a_task_leaves_no_scope_open_and_none_current():
    before, around = backend_info().open_scopes, current_scope()
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(child)
    assert current_scope() is around
    assert backend_info().open_scopes == before


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("library", [asyncio, trio])
async def test_event_loops_in_several_threads_do_not_meet(library):
    def one():
        if library is asyncio:
            asyncio.run(many_asyncio())
        else:
            trio.run(many_trio)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await to_thread.run_sync(thread.join)
    assert outcome(child) == (8 * 200, 0, 0)


async def many_asyncio():
    await asyncio.gather(*(child() for _ in range(200)))


async def many_trio():
    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(child)
