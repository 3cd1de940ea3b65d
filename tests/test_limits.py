"""Where the core's tables end, figures are complete or refused, never silently too small."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from children import MEASURING, answer_of, measuring

BIG = 5_000_000

READ = """
def figure_of(scope):
    try:
        return scope.stats.bytes_allocated
    except BackendUnavailableError as error:
        return str(error)
"""

LIMIT = """
import contextvars, resource

def limit_address_space(room):
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = hard if room is None else used + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")


def is_address_space_free():
    import resource

    accounting = Path("/proc/sys/vm/overcommit_memory").read_text().strip()
    return accounting != "2" and resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


free_address_space = pytest.mark.skipif(
    sys.platform != "linux" or not is_address_space_free(), reason="address space is not free here"
)


def is_complete_or_refused(figure):
    return bool(figure) if isinstance(figure, str) else BIG <= figure < 2 * BIG


def test_a_chain_of_tasks_that_each_start_the_next_does_not_grow_the_table():
    while_running, tables = measuring("""
import asyncio

async def link(left, done):
    with measure("link"):
        block = bytes(1000)
        if left:
            asyncio.create_task(link(left - 1, done))
        else:
            done.set()

async def main():
    done = asyncio.Event()
    asyncio.create_task(link(50_000, done))
    await done.wait()
    return backend_info()

info = asyncio.run(main())
print(json.dumps([info.scopes_kept, info.own_table_bytes]))
""")
    assert while_running < 20
    assert tables < 20_000


def test_scopes_nested_deeper_than_the_core_keeps_apart_are_in_the_scope_around_or_refused():
    figures = measuring(
        READ
        + f"""
scopes = [measure() for _ in range(1500)]
for scope in scopes:
    scope.__enter__()
block = bytes({BIG})
print(json.dumps([figure_of(scope) for scope in scopes[::100]]))
"""
    )
    assert all(map(is_complete_or_refused, figures)), figures


@free_address_space
def test_gigabytes_are_reserved_only_where_address_space_is_free():
    reserved = "print(json.dumps(backend_info().ledger_reserved_bytes))"
    assert measuring(reserved) >= 4 << 30
    assert answer_of(LIMIT + "limit_address_space(32 << 30)\n" + MEASURING + reserved) < 1 << 30


@free_address_space
@pytest.mark.parametrize("room", [None, 8 << 30], ids=["with a window", "without"])
def test_a_block_for_which_the_ledger_has_no_room_is_not_silently_left_out(room):
    size = 64 << 20  # without the window it starts where there is no leaf yet, which takes 8 MiB
    figure = answer_of(
        LIMIT
        + f"limit_address_space({room})\n"
        + MEASURING
        + READ
        + f"""
install()
block = scope = None
limit_address_space({size} + (2 << 20))
with measure() as scope:
    block = bytearray({size})
limit_address_space(None)
print(json.dumps(figure_of(scope)))
"""
    )
    if room is None:
        assert figure > size
    else:
        assert "no address space left" in figure


@linux_only
@pytest.mark.slow
def test_a_scope_for_which_there_is_no_room_is_in_the_scope_around_or_refused():
    # The table is reserved when the package is imported; without room for it, a smaller one.
    unmeasured, innermost, around, later, kept = answer_of(
        LIMIT
        + "limit_address_space(115 << 20)\n"
        + MEASURING
        + READ
        + f"""
limit_address_space(None)
outer = measure("outer")
outer.__enter__()
opened = []
for _ in range(140_000):
    context, scope = contextvars.copy_context(), measure("many")
    context.run(scope.__enter__)
    opened.append((context, scope))
innermost = figure_of(scope)
before = outer.stats.bytes_allocated
block = context.run(bytes, {BIG})
around = figure_of(outer)
if not isinstance(around, str):
    around -= before
unmeasured = backend_info().unmeasured_scopes
for context, scope in opened:
    context.run(scope.__exit__, None, None, None)
opened.clear()
del context, scope, block
outer.__exit__(None, None, None)
gc.collect()
print(json.dumps(
    [unmeasured, innermost, around, one_block() == ONE, backend_info().scopes_kept]
))
"""
    )
    assert unmeasured > 0, "the table was too large for this test"
    assert "too many scopes" in innermost
    assert is_complete_or_refused(around), around
    assert later, "once there is room again, scopes are measured again"
    assert kept < 100
