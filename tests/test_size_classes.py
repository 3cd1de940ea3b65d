"""Blocks of a scope by size: what the failure report of a test names."""

from __future__ import annotations

import threading

import anyio
import pytest

from allocmeter import measure
from allocmeter.size_classes import SizeClass, count_size_classes, size_classes
from children import answer_of, measuring

BYTES_HEADER = 33


def counted(work):
    scope = measure()
    count_size_classes(scope)
    with scope:
        kept = work()
    del kept
    return scope


def only(scope, size):
    return [one for one in size_classes(scope) if one.smallest <= size <= one.largest]


@pytest.mark.exact
@pytest.mark.parametrize("size", [34, 63, 64, 510, 511, 512, 1023, 1024, 100_000, 5_000_000])
def test_a_block_is_in_the_class_of_its_requested_size(size):
    length = size - BYTES_HEADER
    bytes(length)  # leaves its tuple of arguments in a free list, for the next call to find
    scope = measure()
    count_size_classes(scope)
    with scope:
        block = bytes(length)
    smallest = 1 << (size.bit_length() - 1)
    assert size_classes(scope) == (SizeClass(smallest, 2 * smallest - 1, 1, size),)
    assert len(block) == length


def work_of_all_kinds():
    table = {}
    for number in range(2_000):
        table.setdefault(number % 70, []).append("x" * number)
    with measure("nested"):
        inner = [bytearray(number) for number in range(300)]
    threads = [threading.Thread(target=lambda: [0] * 1_000) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return table, inner


def test_the_classes_add_up_to_the_figures_of_the_scope():
    scope = counted(work_of_all_kinds)
    found = size_classes(scope)
    assert sum(one.allocations for one in found) == scope.stats.allocations
    assert sum(one.bytes_allocated for one in found) == scope.stats.bytes_allocated
    assert [one.bytes_allocated for one in found] == sorted(
        (one.bytes_allocated for one in found), reverse=True
    )
    for one in found:
        assert one.allocations * one.smallest <= one.bytes_allocated
        assert one.bytes_allocated <= one.allocations * one.largest


def test_blocks_of_threads_without_the_lock_are_in_their_class():
    found, stats = measuring(
        """
from allocmeter.size_classes import count_size_classes, size_classes
raw = ctypes.CDLL(None)  # unlike PyDLL, it releases the lock around each call
raw.PyMem_RawMalloc.restype = ctypes.c_void_p
raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
scope = measure()
count_size_classes(scope)
with scope:
    raw.PyMem_RawMalloc((1 << 24) + 5)
found = size_classes(scope)
print(json.dumps([found, scope.stats.to_dict()]))
"""
    )
    assert [1 << 24, (1 << 25) - 1, 1, (1 << 24) + 5] in found
    assert sum(row[2] for row in found) == stats["allocations"]
    assert sum(row[3] for row in found) == stats["bytes_allocated"]


@pytest.mark.anyio
async def test_other_tasks_are_not_counted():
    started, done = anyio.Event(), anyio.Event()
    blocks = []

    async def neighbour():
        await started.wait()
        with measure("neighbour"):
            blocks.append(bytes(1 << 22))
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(neighbour)
        scope = measure()
        count_size_classes(scope)
        async with scope:
            started.set()
            await done.wait()
            blocks.append(bytes(1 << 20))
    (found,) = only(scope, 1 << 20)
    assert found.allocations == 1
    assert found.bytes_allocated == (1 << 20) + BYTES_HEADER
    assert only(scope, 1 << 22) == []


def test_one_scope_at_a_time_is_counted():
    outer, inner = measure(), measure()
    count_size_classes(outer)
    count_size_classes(inner)
    with outer:
        with inner:
            block = bytes(1 << 20)
        assert size_classes(inner) is None
        assert only(outer, 1 << 20)[0].allocations == 1
    after = counted(lambda: bytes(1 << 21))
    assert size_classes(outer) is None
    assert only(after, 1 << 21)[0].allocations == 1
    assert len(block) == 1 << 20


def test_nothing_counts_after_the_scope_has_closed():
    scope = counted(lambda: bytes(1 << 20))
    before = size_classes(scope)
    block = bytes(1 << 20)
    assert size_classes(scope) == before
    assert len(block) == 1 << 20


def test_a_scope_that_was_not_asked_for_has_no_classes():
    with measure() as scope:
        pass
    assert size_classes(scope) is None


def test_a_scope_that_was_entered_is_refused():
    with measure() as scope, pytest.raises(RuntimeError, match="before the scope is entered"):
        count_size_classes(scope)
    with pytest.raises(TypeError, match="not a scope"):
        count_size_classes(object())


def test_a_scope_that_is_gone_leaves_its_place_to_the_next():
    after = answer_of(
        """
import json
from allocmeter import measure
from allocmeter.size_classes import count_size_classes, size_classes
def abandoned():
    scope = measure()
    count_size_classes(scope)
    scope._open()
abandoned()
scope = measure()
count_size_classes(scope)
with scope:
    block = bytes(1 << 20)
print(json.dumps(max(size_classes(scope), key=lambda one: one.bytes_allocated)))
"""
    )
    assert SizeClass(*after) == SizeClass(1 << 20, (1 << 21) - 1, 1, (1 << 20) + BYTES_HEADER)


@pytest.mark.exact
def test_an_empty_scope_has_no_class():
    assert size_classes(counted(lambda: None)) == ()
