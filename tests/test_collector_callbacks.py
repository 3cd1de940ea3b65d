"""Callbacks of the garbage collector that belong to others: what runs meanwhile is not theirs."""

from __future__ import annotations

import gc
import threading

import pytest

from allocmeter import AllocationStats, measure
from blocks import untouched

SIZES = [10_000 + n for n in range(50)]
PLAN = list(enumerate(SIZES))


@pytest.mark.exact
@pytest.mark.parametrize("phase", ["start", "stop"])
@pytest.mark.parametrize("position", ["first", "last"])
@pytest.mark.parametrize("collected_last", ["this thread", "the other thread"])
def test_what_another_thread_does_during_a_callback_is_charged_to_its_scope(
    phase, position, collected_last
):
    begin, done, collected = threading.Event(), threading.Event(), threading.Event()
    costs = []

    def work():
        # Not in the scope: a collection empties the free lists of lists and of their iterators.
        kept, plan = [None] * len(SIZES), iter(PLAN)
        if collected_last == "the other thread":
            gc.collect()
            collected.set()
        begin.wait(30)
        with measure():  # a collection empties the free lists
            untouched(SIZES[0])
        with measure() as scope:
            for at, size in plan:
                kept[at] = untouched(size)
        costs.append(scope.stats)
        done.set()

    def callback(now, info):
        if now == phase and not begin.is_set():
            begin.set()
            done.wait(30)

    begin.set()
    for _ in range(2):  # what the first one does for the first time does not count
        alone = threading.Thread(target=work)
        alone.start()
        alone.join()
    begin.clear()
    done.clear()
    beside = threading.Thread(target=work)
    collected.clear()
    beside.start()
    if collected_last == "the other thread":
        collected.wait(30)
    gc.callbacks.insert(0 if position == "first" else len(gc.callbacks), callback)
    try:
        with measure():
            gc.collect()
    finally:
        gc.callbacks.remove(callback)
        begin.set()
        beside.join()
    assert costs[-2] == costs[-1]


@pytest.mark.exact
def test_a_collection_costs_a_scope_nothing_whoever_collected_last():
    costs = []

    def collect():
        with measure() as scope:
            gc.collect()
        costs.append(scope.stats)

    collect()
    collect()
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
    collect()
    assert costs == [AllocationStats()] * 3
