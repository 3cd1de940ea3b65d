"""A reallocation frees the block of its owner, and then allocates one for the caller."""

from __future__ import annotations

import gc

import pytest

from allocmeter import AllocationStats, measure, start_tracking, stop_tracking
from allocmeter._core.figures import read_collector, read_own, read_process
from allocmeter._core.own import OWN
from allocmeter.doctor.known_blocks import OBJECT_BYTES
from allocmeter.size_classes import count_size_classes, size_classes
from blocks import ADDRESS, DOMAINS, HUGE, Allocator, Enclosure

pytestmark = pytest.mark.exact

# Sizes that the ledger keeps in one entry, and sizes that take more room.
CHANGES = [(64, 64), (64, 60), (60, 64), (64, 510), (510, 511), (511, 510), (700, 700), (700, 64)]
CHANGES += [(64, 5_000), (5_000, 700), (700, 5_000_000), (5_000_000, 64)]


@pytest.fixture(params=DOMAINS)
def allocator(request):
    return Allocator(request.param)


class Informed(Enclosure):
    """A call finds the thread knowing what is current: the first object that is made finds out."""

    def __call__(self, function, *arguments):
        return self.context.run(_call_informed, function, arguments)


def _call_informed(function, arguments):
    object()
    return function(*arguments)


OBJECT = AllocationStats(1, 1, 0, OBJECT_BYTES, OBJECT_BYTES)
CALLS = {Enclosure: ADDRESS, Informed: ADDRESS + OBJECT}


@pytest.fixture(params=CALLS)
def enclosure(request):
    return request.param


def blocks_of(inside, calls=1):
    """Return the figures without what that many calls cost by themselves."""
    stats = inside.scope.stats
    for _ in range(calls):
        stats -= CALLS[type(inside)]
    return stats


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_the_peak_is_of_either_block_and_never_of_both(enclosure, allocator, old, new):
    inside = enclosure()
    kept = allocator.malloc(inside, 1_000)  # the address that it comes in counts less
    block = allocator.realloc(inside, allocator.malloc(inside, old), new)
    allocator.free(inside, block)
    address = ADDRESS.bytes_allocated
    assert inside.scope.peak_bytes == 1_000 + max(old, new) + address
    assert inside.scope.peak_allocations == 3
    allocator.free(inside, kept)
    assert inside.scope.retained_allocations == 0


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_by_its_owner_it_is_both_and_counts_as_one(enclosure, allocator, old, new):
    inside = enclosure()
    block = allocator.realloc(inside, allocator.malloc(inside, old), new)
    assert blocks_of(inside, 2) == AllocationStats(2, 1, 1, old + new, old)
    allocator.free(inside, block)
    assert inside.scope.retained_bytes == inside.scope.retained_allocations == 0


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_the_owner_is_credited_and_the_caller_is_charged(enclosure, allocator, old, new):
    owner, caller = enclosure(), enclosure()
    block = allocator.realloc(caller, allocator.malloc(owner, old), new)
    assert blocks_of(owner) == AllocationStats(1, 1, 0, old, old)
    assert blocks_of(caller) == AllocationStats(1, 0, 1, new, 0)
    block = allocator.realloc(owner, block, old)
    assert (owner.scope.retained_bytes, owner.scope.stats.reallocations) == (old, 1)
    assert (caller.scope.retained_bytes, caller.scope.stats.reallocations) == (0, 1)
    allocator.free(caller, block)
    assert owner.scope.retained_allocations == 0


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_outside_every_scope_the_block_becomes_nobodys(enclosure, allocator, old, new):
    inside, outside = enclosure(), enclosure()
    outside.leave()
    block = allocator.realloc(outside, allocator.malloc(inside, old), new)
    assert blocks_of(inside) == AllocationStats(1, 1, 0, old, old)
    block = allocator.realloc(outside, block, old)
    block = allocator.realloc(inside, block, new)
    assert blocks_of(inside, 2) == AllocationStats(2, 1, 1, old + new, old)
    allocator.free(outside, block)
    assert inside.scope.retained_allocations == 0


@pytest.mark.parametrize("size", [0, 64, 510, 511, 5_000])
def test_a_block_that_cannot_be_reallocated_stays_its_owners(enclosure, allocator, size):
    owner, caller = enclosure(), enclosure()
    block = allocator.malloc(owner, size)
    assert allocator.realloc(caller, block, HUGE) is None
    assert allocator.realloc(owner, block, HUGE) is None
    assert blocks_of(owner, 2) == AllocationStats(1, 0, 0, size, 0)
    assert blocks_of(caller) == AllocationStats()
    allocator.free(caller, block)
    assert owner.scope.retained_allocations == owner.scope.retained_bytes == 0


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_what_the_library_reallocates_is_its_own(allocator, old, new):
    with measure():
        pass  # this thread knows from now on what is current here
    block = allocator.malloc(in_own_section, old)
    before = read_own()
    block = allocator.realloc(in_own_section, block, new)
    after = read_own()
    allocator.free(in_own_section, block)
    assert after.reallocations == before.reallocations + 1
    assert retained(after) - retained(before) == new - old
    assert retained(read_own()) == retained(before) - old


def in_own_section(function, *arguments):
    with OWN:
        return function(*arguments)


def retained(found):
    return found.bytes_allocated - found.bytes_deallocated


def test_what_a_finalizer_reallocates_is_charged_to_the_collector():
    class Cyclic:
        def __del__(self):
            data.extend(more)

    gc.collect()
    more, before = bytes(5_000), read_collector().reallocations
    with measure() as m:
        data = bytearray(1_000)
        cycle = Cyclic()
        cycle.itself = cycle
        del cycle
        gc.collect()
    assert len(data) == 6_000
    assert m.stats.reallocations == 0
    assert read_collector().reallocations == before + 1
    assert m.retained_bytes < 1_000


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_it_counts_in_both_size_classes(enclosure, allocator, old, new):
    scope = measure()
    count_size_classes(scope)
    inside = enclosure(scope=scope)
    allocator.free(inside, allocator.realloc(inside, allocator.malloc(inside, old), new))
    found = size_classes(scope)
    assert sum(one.allocations for one in found) == scope.stats.allocations
    assert sum(one.bytes_allocated for one in found) == scope.stats.bytes_allocated
    inside.leave()


def call(function, *arguments):
    return function(*arguments)


def test_a_block_of_the_process_is_nobodys_once_the_process_is_not_tracked(allocator):
    with measure():
        pass
    start_tracking()
    block = allocator.malloc(call, 100_000)
    before = read_process()
    stop_tracking()
    block = allocator.realloc(call, block, 200_000)
    after = read_process()
    allocator.free(call, block)
    assert after.reallocations == before.reallocations
    assert 100_000 <= retained(before) - retained(after) < 101_000
    assert retained(read_process()) == retained(after)
