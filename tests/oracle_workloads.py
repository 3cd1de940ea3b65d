"""Work whose memory two instruments measure, each in a process of its own.

Run as a script: `python oracle_workloads.py WORKLOAD INSTRUMENT` prints `[live bytes, peak bytes]`
of one run of the work, its result still alive. What is done does not depend on addresses or on
the hash seed of strings, so two processes allocate the same blocks in the same order.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import gc
import io
import json
import pickle
import re
import sqlite3
import sys
import sysconfig
import tracemalloc
import types
from pathlib import Path

from allocmeter import measure

LIBRARY = Path(sysconfig.get_path("stdlib"))
SOURCES = [
    (LIBRARY / name).read_text(encoding="utf-8")
    for name in ("argparse.py", "typing.py", "tarfile.py", "_pydecimal.py")
]


def parse_json():
    """Encode and decode nested records."""
    records = [
        {"id": n, "name": f"customer {n}", "ratio": n / 7, "tags": [str(n % 13), None, n % 2 == 0]}
        for n in range(12_000)
    ]
    text = json.dumps(records, indent=1)
    return text, json.loads(text)


def parse_python():
    """Parse large modules, and walk the trees."""
    trees = [ast.parse(source) for source in SOURCES]
    return trees, [len(list(ast.walk(tree))) for tree in trees]


@dataclasses.dataclass
class Line:
    product: str
    count: int
    price: float


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    number: int
    lines: tuple[Line, ...]
    notes: dict[str, str] = dataclasses.field(default_factory=dict)


def make_dataclasses():
    """Build, copy, compare and flatten objects, with and without slots."""
    orders = [
        Order(n, tuple(Line(f"product {n}", k, n * 0.5) for k in range(n % 5)))
        for n in range(6_000)
    ]
    copies = [dataclasses.replace(order, number=-order.number) for order in orders]
    return copies, [dataclasses.asdict(order) for order in orders], orders[1] == orders[2]


def match_patterns():
    """Compile patterns, and search, substitute and split large texts."""
    re.purge()
    # Not `finditer`: see test_oracle.py.
    patterns = [re.compile(rf"\b(?P<first>[a-{letter}]\w*)\s*[(=]\s*(\w+)") for letter in "cfhms"]
    pairs = [pattern.findall(source) for pattern in patterns for source in SOURCES]
    lines = [line for source in SOURCES for line in source.splitlines()]
    found = [match.groupdict() for line in lines if (match := patterns[-1].search(line))]
    shouted = [patterns[0].sub(lambda match: match[1].upper(), source) for source in SOURCES]
    return pairs, found, shouted, [re.split(r"\s+", source) for source in SOURCES]


@types.coroutine
def suspend(value):
    yield value
    return value


async def nest(depth, value):
    text = f"level {depth} of {value}"
    if depth == 0:
        return await suspend(text)
    async with measured_nothing():
        below = await nest(depth - 1, value)
    return below + text


class measured_nothing:  # noqa: N801 - an `async with` on the way, as real programs have them
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        return False


def nest_coroutines():
    """Suspend many coroutines ten awaits deep, finish half of them, keep the other half."""
    started = [nest(10, n) for n in range(1_500)]
    for coroutine in started:
        coroutine.send(None)
    results = []
    for coroutine in started[::2]:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            results.append(stop.value)
    return started, results


def query_sqlite():
    """Fill a table in memory and read it back joined, grouped and converted."""
    database = sqlite3.connect(":memory:")
    database.execute("create table item (id integer primary key, name text, price real, b blob)")
    rows = ((n, f"item {n}", n / 3, n.to_bytes(300, "big")) for n in range(15_000))
    database.executemany("insert into item values (?, ?, ?, ?)", rows)
    every = database.execute("select id, name, price, b from item order by name").fetchall()
    pairs = database.execute(
        "select id % 97, sum(price), max(name) from item group by 1"
    ).fetchall()
    return database, every, pairs


def grow_containers():
    """Grow, shrink and copy what is reallocated as it grows."""
    array, items, table = bytearray(), [], {}
    for n in range(60_000):
        array += b"0123456789"
        items.append(n * 1000)
        table[n] = str(n)
    del items[1000:], array[5000:]
    return array, items, table, sorted(table.values()), frozenset(table)


def read_csv():
    """Write a table as text, read it back, and pickle it."""
    text = io.StringIO()
    csv.writer(text).writerows((n, n * n, f"row {n}", n / 3) for n in range(15_000))
    rows = list(csv.DictReader(io.StringIO(text.getvalue()), ["n", "square", "name", "third"]))
    return rows, pickle.dumps(rows), text


WORKLOADS = {
    "json": parse_json,
    "ast": parse_python,
    "dataclasses": make_dataclasses,
    "re": match_patterns,
    "nested coroutines": nest_coroutines,
    "sqlite3": query_sqlite,
    "containers": grow_containers,
    "csv and pickle": read_csv,
}


def by_scope(work):
    scope = measure()
    with scope:
        result = work()
    live, peak = scope.retained_bytes, scope.peak_bytes
    del result
    return live, peak


def by_outermost_scope(work):
    scope = measure()
    with scope, measure("middle"), measure(), measure("inner"):
        result = work()
    live, peak = scope.retained_bytes, scope.peak_bytes
    del result
    return live, peak


def by_tracemalloc(work):
    tracemalloc.start()
    result = work()
    live, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return live, peak


INSTRUMENTS = {
    "scope": by_scope,
    "outermost scope": by_outermost_scope,
    "tracemalloc": by_tracemalloc,
}


def main():
    work, instrument = WORKLOADS[sys.argv[1]], INSTRUMENTS[sys.argv[2]]
    if instrument is by_tracemalloc:
        # As many as the other has: test_oracle.py.
        gc.callbacks.extend([lambda phase, info: None, lambda phase, info: None])
    for _ in range(2):
        instrument(work)
    gc.collect()  # also empties the interpreter's free lists
    gc.disable()
    print(json.dumps(instrument(work)))


if __name__ == "__main__":
    main()
