"""Many scopes: one after the other, all at once, and over a long run. The tool must not leak."""

from __future__ import annotations

import sys

import pytest

from children import answer_of

MIB = 1 << 20
TASKS = 100_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory from /proc"),
]

RESIDENT = """
import asyncio, gc, json, os, sys
from contextlib import nullcontext
from allocmeter import AllocationStats, backend_info, measure, report

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
"""

SHORT_SCOPES = {
    "named": """
def one(n):
    with measure("request") as scope:
        block = bytes(n % 5000)
    """,
    "unnamed": """
def one(n):
    with measure() as scope:
        block = [n]
    """,
    "nested": """
def one(n):
    with measure("request") as scope, measure("query"):
        block = bytes(600)
    """,
    "of ever new names": """
def one(n):
    with measure(f"request {n}") as scope:
        block = bytes(600)
    """,
    "left by an exception": """
def one(n):
    try:
        with measure("request") as scope:
            block = bytes(600)
            raise ValueError
    except ValueError:
        pass
    """,
    "async": """
async def enter(n):
    async with measure("request") as scope:
        block = bytes(600)

def one(n):
    try:
        enter(n).send(None)
    except StopIteration:
        pass
    """,
    # Each block outlives its scope, and is freed inside a later one.
    "whose blocks are freed by others": """
kept = [None] * 50

def one(n):
    with measure("request") as scope:
        kept[n % 50] = bytes(600 + n % 400)
    """,
}


@pytest.mark.parametrize("kind", SHORT_SCOPES)
def test_a_million_short_scopes_grow_memory_by_less_than_5_mib(kind):
    growth, kept, tables = answer_of(
        RESIDENT
        + SHORT_SCOPES[kind]
        + """
for n in range(20_000):
    one(n)
gc.collect()
before = resident()
for n in range(1_000_000):
    one(n)
info = backend_info()
print(json.dumps([resident() - before, info.scopes_kept, info.own_table_bytes]))
"""
    )
    print(f"{kind}: {growth:,} bytes of growth, {kept} scopes kept, {tables:,} bytes of tables")
    assert growth < 5 * MIB
    assert kept <= 50


OPEN_AT_ONCE = """
async def task(n, gate, scoped):
    # Numbers above 256 are blocks too: they are made outside the scope.
    size, later_size = 100 + n % 1000, 300 + n % 1000
    scope = measure("task") if scoped else nullcontext()
    async with scope:
        block = bytes(size)
        first = scope.stats if scoped else None
        await gate
        before = scope.stats if scoped else None
        more = bytes(later_size)
        block = None
        after = scope.stats if scoped else None
    if scoped:
        check(n, "open", first, AllocationStats(1, 0, 0, size + 33, 0))
        change = AllocationStats(1, 1, 0, later_size + 33, size + 33)
        check(n, "resumed", after - before, change)
        check(n, "retained", scope.retained_bytes >= later_size + 33, True)
        check(n, "late", scope.late_stats, AllocationStats())
    scopes.append(scope)

def check(n, what, found, expected):
    if found != expected:
        wrong.append((n, what, str(found), str(expected)))

async def main(tasks, scoped):
    loop = asyncio.get_running_loop()
    gates = [loop.create_future() for _ in range(tasks)]
    before = resident()
    whole = measure("whole") if scoped else nullcontext()
    with whole:
        started = [asyncio.create_task(task(n, gate, scoped)) for n, gate in enumerate(gates)]
        await asyncio.sleep(0)
        used, opened = resident() - before, backend_info().open_scopes
        for gate in gates:
            gate.set_result(None)
        await asyncio.gather(*started)
    if scoped:
        parts = (scope.stats + scope.late_stats for scope in scopes)
        check("whole", "parts", sum(parts, whole.self_stats), whole.stats)
    return used, opened

wrong, scopes = [], []
tasks, scoped = int(sys.argv[1]), sys.argv[2] == "scoped"
gc.disable()  # collections at other moments would make two runs differ
used, opened = asyncio.run(main(tasks, scoped))
scopes.clear()
gc.collect()
print(json.dumps([used, opened, len(wrong), wrong[:5], backend_info().scopes_kept]))
"""


def test_a_hundred_thousand_open_scopes_are_all_exact_and_take_less_than_1_5_kib_each():
    plain, opened, *_ = answer_of(RESIDENT + OPEN_AT_ONCE, TASKS, "plain")
    assert opened == 0

    scoped, opened, wrong, examples, kept = answer_of(RESIDENT + OPEN_AT_ONCE, TASKS, "scoped")

    print(f"a task takes {plain / TASKS:,.0f} bytes, its scope {(scoped - plain) / TASKS:,.0f}")
    assert opened == TASKS + 1
    assert wrong == 0, examples
    assert (scoped - plain) / TASKS < 1536
    # asyncio keeps up to 255 future iterators for later, each a block of the scope that made it.
    assert kept <= 255 + 10, "scopes outlive their tasks"


LONG_RUN = """
import threading
from allocmeter import PeakMemoryTracker, detached, measured

async def ticks():
    async with measure("generator"):
        while True:
            yield bytes(700)

@measured
async def work(n):
    with measure(f"step {n % 7}"):
        await asyncio.sleep(0)
        return [str(n)] * 50

async def request(n):
    generator = ticks()
    async with measure("request"):
        await anext(generator)
        await asyncio.to_thread(sorted, range(2000))
        with detached():
            background.append(asyncio.create_task(work(n)))
        if n % 3 == 0:
            raise RuntimeError
        await work(n)
    await asyncio.create_task(generator.aclose())  # in another context than it was entered in

async def serve():
    tasks = [asyncio.create_task(request(n)) for n in range(60)]
    await asyncio.sleep(0)
    for task in tasks[::7]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*background)
    background.clear()

def run():
    with measure("round"):
        asyncio.run(serve())
        PeakMemoryTracker().track(one, 1)
    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()

def one(n):
    for _ in range(200):
        with measure("thread"):
            [bytes(n) for n in range(500, 520)]

background = []
readings = []
for rounds in (10, 100):
    for _ in range(rounds):
        run()
    # The interpreter's method cache keeps names, some of them made in a scope, by their addresses.
    (getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache)()
    info = backend_info()
    readings.append([resident(), info.own_bytes, info.own_table_bytes, info.scopes_kept])
print(json.dumps(readings))
"""


def test_hooks_that_stay_for_a_long_run_do_not_grow_memory():
    (rss, own, tables, kept), (rss_later, own_later, tables_later, kept_later) = answer_of(
        RESIDENT + LONG_RUN
    )
    print(f"10 rounds to 110: {rss_later - rss:+,} bytes resident, {kept} to {kept_later} scopes")
    # A hundred rounds: anything left behind by each would show.
    assert kept_later <= kept + 30
    assert own_later <= own + 4096
    assert tables_later <= tables + 65_536
    assert rss_later <= rss + 5 * MIB
