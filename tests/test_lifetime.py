"""A block belongs to the scope that allocated it, long after either is gone."""

from __future__ import annotations

import contextvars
import gc
import threading
from contextlib import suppress

import anyio
import pytest
from anyio.lowlevel import checkpoint

from allocmeter import AllocationStats, Registry, backend_info, measure
from allocmeter._core.figures import current_scope
from operations import block, cost, fail, one_block

SIZE = 100_000
NOTHING = AllocationStats()

freed = AllocationStats(deallocations=1, bytes_deallocated=cost(SIZE))


@pytest.fixture(autouse=True)
def without_collector():
    gc.disable()
    yield
    gc.enable()


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


# Freeing ----------------------------------------------------------------------------------------


@pytest.mark.exact
def test_a_block_freed_in_another_scope_is_credited_to_its_owner():
    kept = []
    with measure() as owner:
        kept.append(block(SIZE))
    held = owner.stats
    with measure() as other:
        kept.clear()
    assert (other.stats, other.peak_bytes) == (NOTHING, 0)
    assert owner.stats == held
    assert owner.late_stats.bytes_deallocated >= cost(SIZE)
    assert owner.retained_bytes < cost(SIZE)


@pytest.mark.exact
@pytest.mark.parametrize("where", [in_a_thread, lambda function: function()])
def test_a_block_freed_outside_every_scope_is_credited_to_its_owner(where):
    kept = [None]
    with measure() as owner:
        kept[0] = block(SIZE)
    assert (owner.retained_bytes, owner.retained_allocations) == (cost(SIZE), 1)
    where(kept.clear)
    assert owner.late_stats == freed
    assert (owner.retained_bytes, owner.retained_allocations) == (0, 0)
    assert owner.stats == one_block(SIZE)


@pytest.mark.exact
def test_a_block_freed_on_another_thread_while_the_scope_is_open_lowers_its_live_memory():
    kept = [None]
    with measure() as m:
        kept[0] = block(SIZE)
        in_a_thread(kept.clear)
        again = block(SIZE)
    assert m.peak_bytes < cost(SIZE) + cost(len(again))


@pytest.mark.exact
def test_a_block_that_outlives_its_scope_object_is_counted_under_its_name_until_it_is_freed():
    registry = Registry()
    nodes = backend_info().scopes_kept
    kept = [None] * 10
    for at in range(10):
        with registry.measure("work"):
            kept[at] = block(SIZE)
    assert registry.row("work").retained_allocations == 10
    del kept[:4]
    assert registry.row("work").retained_bytes == 6 * cost(SIZE)
    kept.clear()
    assert registry.row("work").retained_allocations == 0
    assert backend_info().scopes_kept <= nodes


@pytest.mark.exact
def test_garbage_is_credited_to_its_owners_whoever_triggers_the_collection():
    class Link:
        __slots__ = ("other", "payload")

    with measure() as owner:
        a, b = Link(), Link()
        a.other, b.other = b, a
        a.payload = block(SIZE)
        del a, b
    assert owner.retained_bytes > SIZE
    with measure() as innocent:
        gc.collect()
    assert owner.retained_bytes == 0
    assert innocent.retained_bytes <= 0


def test_an_exception_in_a_finalizer_does_not_disturb_the_scopes_around(monkeypatch):
    raised = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: raised.append(unraisable.exc_type))

    class Nasty:
        def __del__(self):
            with measure("finalizer", registry=registry):
                fail(SIZE)

    registry = Registry()
    with measure() as outer:
        with measure() as inner:
            Nasty()
        assert current_scope() is outer
        kept = block(SIZE)
    assert raised == [ValueError]
    assert registry.row("finalizer").errors == 1
    assert inner.stats.bytes_allocated > SIZE
    assert outer.retained_bytes >= cost(len(kept))


# Late work --------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_task_that_outlives_its_scope_leaves_the_final_figures_alone():
    kept = []
    leave, left = anyio.Event(), anyio.Event()

    async def straggler():
        kept.append(block(SIZE))
        leave.set()
        await left.wait()
        kept.append(block(3 * SIZE))

    async with anyio.create_task_group() as tasks:
        async with measure() as m:
            tasks.start_soon(straggler)
            await leave.wait()
            assert m.late_stats == NOTHING
        final = m.stats, m.self_stats, m.peak_bytes, m.peak_allocations
        left.set()
        await checkpoint()
    assert (m.stats, m.self_stats, m.peak_bytes, m.peak_allocations) == final
    assert m.late_stats.bytes_allocated // SIZE == 3
    assert m.retained_bytes // SIZE == 4
    kept.clear()
    assert m.retained_bytes < SIZE


@pytest.mark.anyio
async def test_late_work_is_reported_under_the_name():
    registry = Registry()

    async def straggler():
        await anyio.sleep(0.01)
        return block(SIZE)

    async with anyio.create_task_group() as tasks:
        async with registry.measure("request"):
            tasks.start_soon(straggler)
        assert registry.row("request").late_bytes_allocated < SIZE
    row = registry.row("request")
    assert row.late_bytes_allocated >= cost(SIZE)
    assert row.bytes_allocated.max < SIZE


@pytest.mark.anyio
async def test_a_chain_of_tasks_that_each_start_the_next_does_not_grow():
    nodes = []

    async def link(tasks, left):
        async with measure("link", registry=registry):
            if left:
                tasks.start_soon(link, tasks, left - 1)
        await checkpoint()
        nodes.append(backend_info().scopes_kept)

    registry = Registry()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link, tasks, 1_000)
    assert registry.row("link").count == 1_001
    assert max(nodes) - min(nodes) < 300  # free lists keep a few blocks, and so their scopes


# Scopes that are never left, and garbage --------------------------------------------------------


@pytest.mark.exact
def test_scopes_that_are_never_left_go_with_their_context():
    before = backend_info()

    def enter_many():
        for _ in range(1_000):
            measure().__enter__()

    contextvars.Context().run(enter_many)
    after = backend_info()
    assert after.open_scopes == before.open_scopes
    assert after.scopes_kept <= before.scopes_kept


@pytest.mark.exact
def test_ten_thousand_scopes_that_fail_or_not_leave_nothing_behind():
    registry = Registry()
    gc.collect()
    nodes = backend_info().scopes_kept
    for at in range(10_000):
        with suppress(ValueError), registry.measure("work"):
            (fail if at % 2 else block)(600)
    assert (registry.row("work").count, registry.row("work").errors) == (10_000, 5_000)
    gc.collect()
    assert backend_info().scopes_kept < nodes + 5  # a free list may hold on to the last of them
