"""Every block is counted, once, with the size that was asked for; and nothing else is."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import AsyncExitStack, ExitStack

import anyio
import pytest
from blocks import DOMAINS, HUGE, NUMBER, Allocator, Enclosure

from allocmeter import AllocationStats, Registry, detached, measure

pytestmark = pytest.mark.exact

NOTHING = AllocationStats()


def is_empty(scope):
    return (scope.stats, scope.self_stats, scope.peak_bytes, scope.peak_allocations) == (
        NOTHING,
        NOTHING,
        0,
        0,
    )


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
    assert m.stats.allocations <= 6
    assert m.peak_bytes < 1024
    assert (m.retained_allocations, m.retained_bytes) == (0, 0)


@pytest.mark.anyio
async def test_an_async_exit_stack_leaves_only_its_own_objects_inside_and_takes_them_away():
    async with AsyncExitStack() as stack:
        m = await stack.enter_async_context(measure())
        async with measure() as inner:
            pass
    assert is_empty(inner)
    assert m.stats.allocations <= 8
    assert m.peak_bytes < 2048
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
    gc.collect()  # it empties the interpreter's free lists, so that a new object is a new block
    with measure() as m:
        read(m)
    assert is_empty(m)


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
@pytest.mark.parametrize("kind", [list, lambda length: dict.fromkeys(range(length))])
def test_a_container_is_its_object_and_its_buffer(kind, length):
    copy = kind([None] * length if kind is list else length).copy
    gc.collect()  # an object from a free list would be a block of whoever made it first
    with measure() as m:
        container = copy()
    size = sys.getsizeof(container)
    assert m.stats == AllocationStats(allocations=2 if length else 1, bytes_allocated=size)


def grow(kind, method, arguments):
    """Yield the scope and the container after each step."""
    inside = Enclosure()
    container = inside(kind)
    step = getattr(container, method)
    for argument in arguments:
        inside(step, *argument)
        yield inside.scope, container


GROWTH = {
    "bytearray": (bytearray, "append", [(0,)] * 3_000),
    "bytearray by chunks": (bytearray, "extend", [(bytes(777),)] * 100),
    "list": (list, "append", [(None,)] * 3_000),
    "dict of str": (dict, "__setitem__", [(str(i), None) for i in range(3_000)]),
    "dict of int": (dict, "__setitem__", [(i, None) for i in range(3_000)]),
    "set": (set, "add", [(i,) for i in range(3_000)]),
}


@pytest.mark.parametrize("growth", GROWTH)
def test_a_growing_container_retains_what_getsizeof_tells_at_every_step(growth):
    for scope, container in grow(*GROWTH[growth]):
        assert scope.retained_bytes == sys.getsizeof(container)
    del container
    assert (scope.retained_bytes, scope.retained_allocations) == (0, 0)


@pytest.mark.parametrize("growth", ["bytearray", "list"])
def test_reallocation_frees_the_old_size_and_allocates_the_full_new_one(growth):
    kind, method, arguments = GROWTH[growth]
    empty = sys.getsizeof(kind())
    capacities = []
    for scope, container in grow(kind, method, arguments):
        capacity = sys.getsizeof(container) - empty
        if capacity not in capacities[-1:]:
            capacities.append(capacity)
    assert scope.stats == AllocationStats(
        allocations=1 + len(capacities),
        deallocations=len(capacities) - 1,
        reallocations=len(capacities) - 1,
        bytes_allocated=empty + sum(capacities),
        bytes_deallocated=sum(capacities[:-1]),
    )


# Allocator domains ------------------------------------------------------------------------------


@pytest.fixture(params=DOMAINS)
def allocator(request):
    return Allocator(request.param)


@pytest.fixture
def inside():
    return Enclosure()


@pytest.mark.parametrize("size", [0, 1, 512, 513, 1022, 1023, 1024, 10_000_000])
def test_malloc_is_one_block_of_the_size_asked_for(allocator, inside, size):
    block = allocator.malloc(inside, size)
    assert inside.scope.stats - NUMBER == AllocationStats(allocations=1, bytes_allocated=size)
    allocator.free(inside, block)
    assert inside.scope.stats - NUMBER == AllocationStats(1, 1, 0, size, size)


@pytest.mark.parametrize(("count", "each"), [(0, 8), (8, 0), (0, 0), (1, 1), (7, 73), (9, 1_000)])
def test_calloc_is_one_block_of_the_product(allocator, inside, count, each):
    block = allocator.calloc(inside, count, each)
    size = count * each
    assert inside.scope.stats - NUMBER == AllocationStats(allocations=1, bytes_allocated=size)
    allocator.free(inside, block)
    assert inside.scope.stats - NUMBER == AllocationStats(1, 1, 0, size, size)


@pytest.mark.parametrize(("count", "each"), [(1 << 33, 1 << 33), (3, HUGE), (HUGE, 4), (1, HUGE)])
def test_a_calloc_that_overflows_or_fails_counts_nothing(allocator, inside, count, each):
    assert allocator.calloc(inside, count, each) is None
    assert is_empty(inside.scope)


def test_a_malloc_that_fails_counts_nothing(allocator, inside):
    assert allocator.malloc(inside, HUGE) is None
    assert is_empty(inside.scope)


def test_realloc_of_nothing_is_an_allocation(allocator, inside):
    allocator.free(inside, allocator.realloc(inside, None, 100))
    assert inside.scope.stats - NUMBER == AllocationStats(1, 1, 0, 100, 100)


@pytest.mark.parametrize("new", [0, 1, 99, 100, 101, 600, 5_000, 3_000_000])
@pytest.mark.parametrize("old", [0, 100, 2_000, 4_000_000])
def test_realloc_is_a_deallocation_and_an_allocation(allocator, inside, old, new):
    block = allocator.realloc(inside, allocator.malloc(inside, old), new)
    assert inside.scope.stats - NUMBER - NUMBER == AllocationStats(2, 1, 1, old + new, old)
    allocator.free(inside, block)
    assert inside.scope.stats - NUMBER - NUMBER == AllocationStats(2, 2, 1, old + new, old + new)


@pytest.mark.parametrize("size", [0, 100, 2_000])
def test_a_realloc_that_fails_leaves_the_block_counted(allocator, inside, size):
    block = allocator.malloc(inside, size)
    assert allocator.realloc(inside, block, HUGE) is None
    assert inside.scope.stats - NUMBER == AllocationStats(allocations=1, bytes_allocated=size)
    allocator.free(inside, block)
    assert inside.scope.stats - NUMBER == AllocationStats(1, 1, 0, size, size)


def test_a_block_above_four_gibibytes_is_counted_in_full(allocator, inside):
    size = (5 << 30) + 7  # never touched, so never resident
    block = allocator.malloc(inside, size)
    if block is None:
        pytest.skip("the system does not grant so much address space")
    allocator.free(inside, block)
    assert inside.scope.stats - NUMBER == AllocationStats(1, 1, 0, size, size)


def test_the_raw_domain_counts_without_the_interpreter_lock(inside):
    unlocked = Allocator("PyMem_Raw", ctypes.CDLL(None))
    kept = inside(bytearray, 10)  # makes the scope known to this thread
    before = inside.scope.stats
    block = unlocked.realloc(inside, unlocked.malloc(inside, 3_000), 5_000)
    assert inside.scope.stats - before - NUMBER - NUMBER == AllocationStats(2, 1, 1, 8_000, 3_000)
    unlocked.free(inside, block)
    assert inside.scope.retained_bytes == sys.getsizeof(kept)
    assert inside.scope.peak_bytes >= 5_000
