"""What the native domain's figures look like with and without the preload library."""

from __future__ import annotations

import pytest

from children import measuring
from preloading import NATIVE, linux_only, natively

pytestmark = [linux_only, pytest.mark.exact]

NOTHING = {
    "allocations": 0,
    "deallocations": 0,
    "reallocations": 0,
    "bytes_allocated": 0,
    "bytes_deallocated": 0,
}


def test_without_the_preload_library_the_native_domain_is_unknown_and_says_why():
    figures, process, rows, reason = measuring(
        NATIVE
        + """
with measure("named") as scope:
    released.free(released.malloc(1000))
start_tracking()
[row] = report().to_dict()["scopes"]
print(json.dumps([
    native(scope), read_process_native(),
    [row["native_bytes_allocated"], row["native_allocations"]],
    backend_info().domains["native"],
]))
""",
        LD_PRELOAD=None,
    )
    assert figures is None
    assert process is None
    assert rows == [None, None]
    assert "allocmeter run" in reason


def test_an_empty_scope_is_exactly_nothing_in_both_domains():
    domains, stats, peaks, asynchronous = natively(
        """
import asyncio

async def main():
    async with measure() as scope:
        pass
    return scope.by_domain()

def plain(domains):
    return {name: stats.to_dict() for name, stats in domains.items()}

with measure() as scope:
    pass
print(json.dumps([
    plain(scope.by_domain()), scope.stats.to_dict(), [scope.peak_bytes, scope.peak_allocations],
    plain(asyncio.run(main())),
]))
"""
    )
    assert domains == asynchronous == {"python": NOTHING, "native": NOTHING}
    assert stats == NOTHING
    assert peaks == [0, 0]


def test_the_domains_add_up_and_a_row_of_the_report_has_the_native_share():
    python, native, stats, row, peak = natively(
        """
for name in ("warm up", "named", "named"):
    with measure(name) as scope:
        block = released.malloc(5000)
        more = released.calloc(3, 1000)
        released.free(block)
    released.free(more)
domains = scope.by_domain()
[row] = [row for row in report().to_dict()["scopes"] if row["name"] == "named"]
print(json.dumps([
    domains["python"].to_dict(), domains["native"].to_dict(), scope.stats.to_dict(),
    [row["native_bytes_allocated"], row["native_allocations"]], scope.peak_bytes,
]))
"""
    )
    assert native == {**NOTHING, "allocations": 2, "deallocations": 1, "bytes_allocated": 8000} | {
        "bytes_deallocated": 5000
    }
    assert {name: python[name] + native[name] for name in stats} == stats
    assert row == [16_000, 4]
    assert 8000 <= peak < 8500


def test_nested_scopes_and_the_process_include_the_native_share():
    inner, outer, process = natively(
        """
start_tracking()
first = process()
with measure() as outer:
    a = released.malloc(1000)
    with measure() as inner:
        b = held.malloc(20)
c = released.malloc(3)
figures = process() - first
for block in (a, b, c):
    released.free(block)
print(json.dumps([scope.bytes_allocated for scope in (native(inner), native(outer), figures)]))
"""
    )
    assert (inner, outer, process) == (20, 1020, 1023)


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "pymalloc_debug", "malloc_debug"])
def test_a_block_of_the_interpreter_is_counted_once_as_python(allocator):
    sizes, domains = natively(
        """
SIZES = [0, 1, 480, 500, 5_000, 3 * MIB] * 20
kept = [None] * len(SIZES)
bytes(SIZES[-1])
with measure() as scope:
    for at, size in enumerate(SIZES):
        kept[at] = bytearray(size)
    kept[:] = [None] * len(kept)
    numbers = [bytes(size) for size in SIZES]
    del numbers
    text = "x" * 100_000
    text += "y" * 1_000
print(json.dumps([sum(SIZES), [stats.to_dict() for stats in scope.by_domain().values()]]))
""",
        PYTHONMALLOC=allocator,
    )
    python, native = domains
    assert native == NOTHING
    assert 2 * sizes < python["bytes_allocated"] < 2.01 * sizes + 500_000
