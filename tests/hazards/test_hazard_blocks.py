"""H10 to H12, H14 and H15: what becomes of single blocks, at the worst moments and sizes."""

from __future__ import annotations

import pytest

from allocmeter import AllocationStats, measure
from blocks import ADDRESS, DOMAINS, HUGE, Allocator, Enclosure
from children import measuring
from hazard_library import placed
from preloading import linux_only, natively

pytestmark = pytest.mark.exact

SIZE = 123_457


@linux_only
@pytest.mark.parametrize("by", ["free", "realloc"])
@pytest.mark.parametrize("lock", ["released", "held"])
def test_h10_an_address_that_is_given_out_again_before_its_free_returns_belongs_to_its_new_owner(
    lock, by
):
    same, taker, giver = placed(f"""
raw.PyMem_RawFree(raw.PyMem_RawMalloc(10))
with measure() as giver:
    block = raw.PyMem_RawMalloc(2_000)
with measure() as taker:
    object()  # a thread without the lock charges the scope of its last allocation with it
    same = {lock}.hand_over(block, {SIZE}, {by == "realloc"})
print(json.dumps([same, taker.retained_bytes, giver.retained_bytes]))
""")
    assert same == 1
    assert SIZE <= taker < SIZE + 2_000
    assert giver < 2_000


@linux_only
def test_h10_an_address_that_is_given_out_again_while_its_owner_reallocates_is_not_the_owners():
    same, before, giver, process = placed(f"""
start_tracking()
with measure() as giver:
    block = raw.PyMem_RawMalloc(2_000)
    before = giver.retained_bytes
    same = held.hand_over_here(block, {SIZE})
print(json.dumps([
    same, before, giver.retained_bytes, AllocationStats.capture().net_bytes,
]))
""")
    assert same == 1
    assert before >= 2_000
    assert 0 <= giver < 2_000
    assert process >= SIZE


@pytest.mark.parametrize("domain", DOMAINS)
def test_h10_a_block_that_cannot_be_reallocated_stays_on_the_books(domain):
    allocator, inside = Allocator(domain), Enclosure()
    block = allocator.malloc(inside, SIZE)
    assert allocator.realloc(inside, block, HUGE) is None
    assert inside.scope.retained_bytes == SIZE
    allocator.free(inside, block)
    assert inside.scope.stats - ADDRESS - ADDRESS == AllocationStats(1, 1, 0, SIZE, SIZE)


@linux_only
def test_h11_the_allocator_below_is_asked_for_the_very_size_and_its_block_is_handed_out():
    same = placed("""
inside = Enclosure()
sizes = (1, 16, 24, 100, 496, 512, 513, 4_096, 100_000)
same = [inside(held.passes_through, domain, size) for domain in range(3) for size in sizes]
print(json.dumps(same))
""")
    assert same == [1] * 27


@linux_only
def test_h12_what_one_thread_does_inside_a_hook_changes_nothing_on_another():
    # The other thread stands inside the allocator below, where its own calls are not counted.
    stopped, meanwhile, afterwards = placed("""
start_tracking()
assert one_block() == ONE
with measure() as scope:  # opening one finds out anew what is current
    stopped = held.stop_inside(77_777)
    block = bytes(100_000)
meanwhile = [scope.retained_bytes >= 100_000]
meanwhile += [one_block() == ONE for _ in range(100)]
with measure() as scope:
    object()
    block = raw.PyMem_RawMalloc(5_000)
meanwhile.append(5_000 <= scope.retained_bytes < 6_000)
released.let_go()
print(json.dumps([stopped, all(meanwhile), one_block() == ONE]))
""")
    assert stopped == 0
    assert meanwhile
    assert afterwards


@pytest.mark.parametrize("domain", DOMAINS)
def test_h14_awkward_sizes_are_what_the_interpreters_allocators_say(domain):
    allocator = Allocator(domain)
    for make in (
        lambda inside: allocator.malloc(inside, 0),
        lambda inside: allocator.calloc(inside, 0, 8),
        lambda inside: allocator.calloc(inside, 8, 0),
        lambda inside: allocator.realloc(inside, None, 0),
    ):
        inside = Enclosure()
        block = make(inside)
        assert block is not None
        assert inside.scope.stats - ADDRESS == AllocationStats(allocations=1)
        allocator.free(inside, block)
        assert inside.scope.stats - ADDRESS == AllocationStats(1, 1)
    inside = Enclosure()
    block = allocator.realloc(inside, allocator.malloc(inside, 100), 0)
    assert inside.scope.retained_bytes == 0
    allocator.free(inside, block)
    assert inside.scope.retained_allocations == 0
    inside = Enclosure()
    assert allocator.calloc(inside, 1 << 33, 1 << 33) is None
    assert inside.scope.stats == ADDRESS


@linux_only
def test_h14_awkward_sizes_are_what_the_c_library_says():
    zero, grown, emptied, failed, overflown = natively("""
def figures(scope):
    found = native(scope)
    return [found.allocations, found.deallocations, found.net_bytes]

with measure() as zero:
    blocks = [held.malloc(0), held.calloc(0, 8), held.calloc(8, 0), held.realloc(None, 0)]
with measure() as grown:
    block = held.realloc(None, 50)
with measure() as emptied:
    nothing = held.realloc(held.malloc(50), 0)
with measure() as failed:
    refused_block = held.realloc(block, 1 << 62)
with measure() as overflown:
    too_much = held.calloc(1 << 33, 1 << 33)
assert all(blocks) and block and not nothing and not refused_block and not too_much
kept = grown.by_domain()["native"].net_bytes
held.free(block)
print(json.dumps([
    figures(zero), [kept, grown.retained_bytes < 50], figures(emptied), figures(failed),
    figures(overflown),
]))
""")
    assert zero == [4, 0, 0]
    assert grown == [50, True]
    assert emptied == [1, 1, 0]
    assert failed == overflown == [0, 0, 0]


@pytest.mark.parametrize("domain", DOMAINS)
def test_h15_what_the_allocator_below_refuses_is_not_counted(domain):
    allocator, inside = Allocator(domain), Enclosure()
    assert allocator.malloc(inside, HUGE) is None
    assert allocator.calloc(inside, 1, HUGE) is None
    assert allocator.realloc(inside, None, HUGE) is None
    assert inside.scope.stats == ADDRESS + ADDRESS + ADDRESS
    assert inside.scope.peak_bytes == ADDRESS.bytes_allocated


def test_h15_a_scope_that_is_entered_and_left_without_memory_raises_and_is_not_left_current():
    pytest.importorskip("_testcapi")
    raised, current, opened, exact = measuring("""
import _testcapi
from allocmeter._core.figures import current_scope
assert one_block() == ONE  # and this thread has a context: making one would crash CPython 3.11
scope = None
raised = [0] * 40
current = [0] * 40
for failing in range(40):
    scope = measure("scope")
    _testcapi.set_nomemory(failing, failing + 1)
    try:
        try:
            with scope:
                pass
        finally:
            _testcapi.remove_mem_hooks()
    except MemoryError:
        raised[failing] = 1
    current[failing] = int(current_scope() is not None)
print(json.dumps([sum(raised), sum(current), backend_info().open_scopes, one_block() == ONE]))
""")
    assert raised > 0
    assert (current, opened) == (0, 0)
    assert exact


def test_h15_a_scope_in_which_memory_ran_out_keeps_its_figures():
    with pytest.raises(MemoryError), measure() as scope:
        bytearray(HUGE)
    assert scope.is_closed
    assert scope.stats.bytes_allocated < 100_000
