"""The functions of the interpreter's three allocator domains, called as C code calls them."""

from __future__ import annotations

import ctypes
import sys
import threading

import pytest

from allocmeter import AllocationStats, measure
from allocmeter.doctor.known_blocks import ADDRESS_BYTES, Address
from blocks import ADDRESS, DOMAINS, HUGE, Allocator, Enclosure

pytestmark = pytest.mark.exact


@pytest.fixture(params=DOMAINS)
def allocator(request):
    return Allocator(request.param)


@pytest.fixture
def inside():
    return Enclosure()


@pytest.mark.parametrize("size", [0, 1, 512, 513, 1022, 1023, 1024, 10_000_000])
def test_malloc_is_one_block_of_the_size_asked_for(allocator, inside, size):
    block = allocator.malloc(inside, size)
    assert inside.scope.stats - ADDRESS == AllocationStats(allocations=1, bytes_allocated=size)
    allocator.free(inside, block)
    assert inside.scope.stats - ADDRESS == AllocationStats(1, 1, 0, size, size)


@pytest.mark.parametrize(("count", "each"), [(0, 8), (8, 0), (0, 0), (1, 1), (7, 73), (9, 1_000)])
def test_calloc_is_one_block_of_the_product(allocator, inside, count, each):
    block = allocator.calloc(inside, count, each)
    size = count * each
    assert inside.scope.stats - ADDRESS == AllocationStats(allocations=1, bytes_allocated=size)
    allocator.free(inside, block)
    assert inside.scope.stats - ADDRESS == AllocationStats(1, 1, 0, size, size)


@pytest.mark.parametrize(("count", "each"), [(1 << 33, 1 << 33), (3, HUGE), (HUGE, 4), (1, HUGE)])
def test_a_calloc_that_overflows_or_fails_counts_nothing(allocator, inside, count, each):
    assert allocator.calloc(inside, count, each) is None
    assert (inside.scope.stats, inside.scope.peak_bytes) == (ADDRESS, ADDRESS_BYTES)


def test_a_malloc_that_fails_counts_nothing(allocator, inside):
    assert allocator.malloc(inside, HUGE) is None
    assert (inside.scope.stats, inside.scope.peak_bytes) == (ADDRESS, ADDRESS_BYTES)


def test_realloc_of_nothing_is_an_allocation(allocator, inside):
    allocator.free(inside, allocator.realloc(inside, None, 100))
    assert inside.scope.stats - ADDRESS == AllocationStats(1, 1, 0, 100, 100)


@pytest.mark.parametrize("new", [0, 1, 99, 100, 101, 600, 5_000, 3_000_000])
@pytest.mark.parametrize("old", [0, 100, 2_000, 4_000_000])
def test_realloc_is_a_deallocation_and_an_allocation(allocator, inside, old, new):
    block = allocator.realloc(inside, allocator.malloc(inside, old), new)
    assert inside.scope.stats - ADDRESS - ADDRESS == AllocationStats(2, 1, 1, old + new, old)
    allocator.free(inside, block)
    assert inside.scope.stats - ADDRESS - ADDRESS == AllocationStats(2, 2, 1, old + new, old + new)


@pytest.mark.parametrize("size", [0, 100, 2_000])
def test_a_realloc_that_fails_leaves_the_block_counted(allocator, inside, size):
    block = allocator.malloc(inside, size)
    assert allocator.realloc(inside, block, HUGE) is None
    assert inside.scope.stats - ADDRESS - ADDRESS == AllocationStats(1, 0, 0, size, 0)
    allocator.free(inside, block)
    assert inside.scope.stats - ADDRESS - ADDRESS == AllocationStats(1, 1, 0, size, size)


def test_a_block_above_four_gibibytes_is_counted_in_full(allocator, inside):
    size = (5 << 30) + 7  # never touched, so never resident
    block = allocator.malloc(inside, size)
    if block is None:
        pytest.skip("the system does not grant so much address space")
    allocator.free(inside, block)
    assert inside.scope.stats - ADDRESS == AllocationStats(1, 1, 0, size, size)


# Without the interpreter lock ---------------------------------------------------------------------

PLAN = [(at, (ctypes.c_size_t.from_param(size),)) for at, size in enumerate((1, 600, 3_000) * 300)]


def fill_and_empty(library):
    """Return what filling, and then emptying, cost two scopes: the first one owns all blocks."""
    malloc, free = library.PyMem_RawMalloc, library.PyMem_RawFree
    malloc.restype, free.restype = Address, None
    blocks, plan = [None] * len(PLAN), iter(PLAN)
    with measure() as filling:
        object()  # a thread without the lock charges the scope of its last allocation with it
        for at, size in plan:
            blocks[at] = malloc(*size)
    arguments = iter([(ctypes.c_void_p.from_param(block.value),) for block in blocks])
    with measure() as emptying:
        object()
        for block in arguments:
            free(*block)
    return filling.stats, emptying.stats, filling.late_stats


def test_the_raw_domain_counts_the_same_without_the_interpreter_lock():
    fill_and_empty(ctypes.CDLL(None))  # a first call makes some objects of its own
    assert fill_and_empty(ctypes.CDLL(None)) == fill_and_empty(ctypes.PyDLL(None))


def test_threads_without_the_interpreter_lock_count_exactly_side_by_side():
    fill_and_empty(ctypes.PyDLL(None))  # a first call makes some objects of its own
    alone = fill_and_empty(ctypes.PyDLL(None))
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fill_and_empty(ctypes.CDLL(None))))
        for _ in range(8)
    ]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert results == [alone] * 8
