"""Every block is counted, once, with the size that was asked for; and nothing else is."""

from __future__ import annotations

import gc
import sys
from contextlib import AsyncExitStack, ExitStack

import anyio
import pytest

from allocmeter import AllocationStats, Registry, detached, measure
from blocks import Enclosure

pytestmark = pytest.mark.exact

NOTHING = AllocationStats()


@pytest.fixture(autouse=True)
def without_collector():
    """Keep the collector from filling the free lists, or allocating, in the middle of a test."""
    gc.disable()
    yield
    gc.enable()


def is_empty(scope):
    return (scope.stats, scope.self_stats, scope.peak_bytes, scope.peak_allocations) == (
        NOTHING,
        NOTHING,
        0,
        0,
    )


def held_free_lists():
    """Hold what lies in the free lists, so that each new list or dict is a new block."""
    return [([None], {0: None}) for _ in range(200)]


# Empty blocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "empty"])
def test_an_empty_block_is_exactly_nothing(name):
    registry = Registry()
    for _ in range(100):
        with measure(name, registry=registry) as m:
            pass
        assert is_empty(m)


@pytest.mark.anyio
async def test_an_empty_async_block_is_exactly_nothing():
    for _ in range(100):
        async with measure() as m:
            pass
        assert is_empty(m)


def test_empty_blocks_inside_each_other_are_exactly_nothing():
    with measure() as a, measure("b") as b:
        with measure() as c, detached(), measure() as d:
            pass
        with measure() as e:
            pass
    assert [is_empty(scope) for scope in (a, b, c, d, e)] == [True] * 5


@pytest.mark.anyio
async def test_empty_async_blocks_inside_each_other_are_exactly_nothing():
    async with measure() as a, measure("b") as b:
        with measure() as c, detached():
            async with measure() as d:
                pass
        async with measure() as e, measure() as f:
            pass
    assert [is_empty(scope) for scope in (a, b, c, d, e, f)] == [True] * 6


@pytest.mark.anyio
async def test_an_empty_block_in_a_child_task_is_exactly_nothing():
    async def child():
        async with measure() as m:
            pass
        assert is_empty(m)

    async with measure(), anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(child)


def nest(scopes, at):
    with scopes[at]:
        if at:
            nest(scopes, at - 1)


@pytest.mark.parametrize("depth", [1, 2, 10, 200])
def test_deeply_nested_empty_blocks_are_exactly_nothing(depth):
    scopes = [measure() for _ in range(depth)]
    nest(scopes, depth - 1)
    assert all(map(is_empty, scopes))


def test_an_exit_stack_leaves_only_its_own_objects_inside_and_takes_them_away():
    with ExitStack() as stack:
        m = stack.enter_context(measure())
        with measure() as inner:
            pass
    assert is_empty(inner)
    assert (m.stats.allocations <= 8, m.peak_bytes < 1024) == (True, True)
    gc.collect()  # it empties the free lists, where an object may outlive its use
    assert (m.retained_allocations, m.retained_bytes) == (0, 0)


@pytest.mark.anyio
async def test_an_async_exit_stack_leaves_only_its_own_objects_inside_and_takes_them_away():
    async with AsyncExitStack() as stack:
        m = await stack.enter_async_context(measure())
        async with measure() as inner:
            pass
    assert is_empty(inner)
    assert (m.stats.allocations <= 8, m.peak_bytes < 2048) == (True, True)
    gc.collect()
    assert (m.retained_allocations, m.retained_bytes) == (0, 0)


READINGS = [
    lambda m: m.stats,
    lambda m: m.self_stats,
    lambda m: m.late_stats,
    lambda m: m.peak_bytes + m.peak_allocations,
    lambda m: m.retained_bytes + m.retained_allocations,
    lambda m: m.by_domain(),
    repr,
]


@pytest.mark.parametrize("read", READINGS)
def test_reading_the_figures_inside_the_scope_does_not_show_in_them(read):
    held = held_free_lists()
    with measure() as m:
        read(m)
    assert is_empty(m)
    del held


def test_making_a_scope_of_a_registry_does_not_show_in_the_scope_around():
    registry = Registry()
    with measure() as around, registry.measure("inside"):
        pass
    assert is_empty(around)


# Objects ----------------------------------------------------------------------------------------

SIZES = [
    *range(1, 700),
    *(power + step for power in map((1).__lshift__, range(10, 23)) for step in (-34, -33, -1, 0)),
    4 << 20,
]


def test_bytes_of_any_length_are_one_block_of_the_size_that_getsizeof_tells():
    for length in SIZES:
        arguments = (length,)
        with measure() as m:
            block = bytes(*arguments)
        size = sys.getsizeof(block)
        assert m.stats == AllocationStats(allocations=1, bytes_allocated=size)
        assert (m.peak_allocations, m.peak_bytes) == (1, size)
        del block
        assert m.late_stats == AllocationStats(deallocations=1, bytes_deallocated=size)


CACHED = {
    "the empty bytes": (bytes, 0),
    "bytes of one character": (b"abc".__getitem__, slice(1, 2)),
    "the empty string": (str, b"", "ascii"),
    "a latin-1 character": (chr, 255),
    "the empty tuple": (tuple, []),
    "an integer from -5 to 256": (int.__add__, 128, 128),
}


@pytest.mark.parametrize("cached", CACHED)
def test_objects_that_the_interpreter_keeps_ready_cost_nothing(cached):
    inside = Enclosure()
    inside(*CACHED[cached])
    assert is_empty(inside.scope)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 1_000, 100_000])
@pytest.mark.parametrize("kind", [list, dict.fromkeys])
def test_a_container_is_its_object_and_its_buffer(kind, length):
    copy = kind(range(length)).copy
    held = held_free_lists()
    with measure() as m:
        container = copy()
    del held
    size = sys.getsizeof(container)
    assert m.stats == AllocationStats(allocations=2 if length else 1, bytes_allocated=size)


def grow(kind, method, arguments):
    """Yield the scope and the container after each step."""
    inside = Enclosure()
    _held = held_free_lists()
    container = inside(kind)
    step = getattr(container, method)
    for argument in arguments:
        inside(step, *argument)
        yield inside.scope, container


GROWTH = {
    "bytearray": (bytearray, "append", [(0,)] * 3_000),
    "bytearray by chunks": (bytearray, "extend", [(bytes(777),)] * 100),
    "list": (list, "append", [(None,)] * 3_000),
    # Not from empty: the smallest tables for keys of str have a free list.
    "dict of str": (
        dict.fromkeys("abcdefgh").copy,
        "__setitem__",
        [(str(i), None) for i in range(3_000)],
    ),
    "dict of int": (dict, "__setitem__", [(i, None) for i in range(3_000)]),
    "set": (set, "add", [(i,) for i in range(3_000)]),
}


@pytest.mark.parametrize("growth", GROWTH)
def test_a_growing_container_retains_what_getsizeof_tells_at_every_step(growth):
    for scope, container in grow(*GROWTH[growth]):
        assert scope.retained_bytes == sys.getsizeof(container)


@pytest.mark.parametrize("growth", ["bytearray", "list"])
def test_reallocation_frees_the_old_size_and_allocates_the_full_new_one(growth):
    kind, method, arguments = GROWTH[growth]
    empty = sys.getsizeof(kind())
    capacities = set()
    for scope, container in grow(kind, method, arguments):
        stats = scope.stats
        capacities.add(sys.getsizeof(container) - empty)
    assert stats == AllocationStats(
        allocations=1 + len(capacities),
        deallocations=len(capacities) - 1,
        reallocations=len(capacities) - 1,
        bytes_allocated=empty + sum(capacities),
        bytes_deallocated=sum(capacities) - max(capacities),
    )
