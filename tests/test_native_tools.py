"""The native domain beside other tools, and when the hooks go and come back."""

from __future__ import annotations

import pytest

from preloading import linux_only, natively

pytestmark = [linux_only, pytest.mark.exact]


def test_the_hooks_can_be_taken_away_and_put_back():
    reason, refusal, figures, late, again = natively(
        """
start_tracking()
with measure() as scope:
    block = released.malloc(1000)
uninstall()
reason = backend_info().domains["native"]
released.free(block)
unseen = [released.malloc(1000) for _ in range(100)]
refusal = refused(process)
install()
start_tracking()
first = process()
with measure() as scope:
    for each in unseen:  # from before: nobody's
        released.free(each)
    block = released.malloc(700)
    released.free(block)
figures = native(scope)
change = process() - first
blocks = []
for _ in range(200):
    with measure() as scope:
        blocks.append(held.malloc(50))
    assert native(scope).bytes_allocated == 50
    uninstall()
    install()
for each in blocks:
    released.free(each)
print(json.dumps([reason, refusal, figures.to_dict(), change.net_bytes,
                  backend_info().domains["native"]]))
"""
    )
    assert "not installed" in reason
    assert refusal.startswith("BackendUnavailableError")
    assert (figures["allocations"], figures["bytes_allocated"]) == (1, 700)
    assert figures["deallocations"] >= 1
    assert late == 0 or late == -1000  # the block that was freed unseen, when its place was taken
    assert again == ""


def test_hooks_come_and_go_beside_threads_that_hold_and_make_blocks():
    rounds, works = natively(
        """
def work():
    while not stop.is_set():
        block = released.malloc(300)
        released.free(released.realloc(block, 9_000))
        held.free(held.calloc(5, 100))
        rounds.append(1)

stop, rounds = threading.Event(), []
before = [released.malloc(400) for _ in range(1_000)]
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(300):
    install()
    start_tracking()
    with measure():
        released.free(before.pop())
    uninstall()
install()
stop.set()
for thread in threads:
    thread.join()
for block in before:
    released.free(block)
with measure() as scope:
    released.free(released.malloc(1234))
print(json.dumps([len(rounds), native(scope).bytes_allocated]))
"""
    )
    assert rounds > 0
    assert works == 1234


TRACED = """
def grow():
    return [bytes(100) for _ in range(60_000)]

def parts(scope):
    return {name: stats.to_dict() for name, stats in scope.by_domain().items()}
"""


def test_the_tables_of_a_tracemalloc_started_later_are_native_blocks_of_the_scope():
    # It asks malloc for them itself, and it stands above our hooks.
    first, traced, exact = natively(
        TRACED
        + """
with measure() as first:
    kept = grow()
del kept
tracemalloc.start()
with measure() as scope:
    kept = grow()
inside = parts(scope)
del kept
assert backend_info().hook_position == "wrapped"
tracemalloc.stop()
print(json.dumps([parts(first), inside, backend_info().domains["native"]]))
"""
    )
    assert first["native"]["allocations"] == 0
    assert traced["python"]["allocations"] >= first["python"]["allocations"]
    assert traced["native"]["allocations"] > 50_000, "a trace for each block"
    assert traced["native"]["bytes_allocated"] > 1_000_000
    assert exact == ""


def test_the_tables_of_a_tracemalloc_started_earlier_are_nobodys():
    # It works below our hooks, as part of the interpreter's allocators.
    growing, shrinking = natively(
        TRACED
        + """
tracemalloc.start()
install()
with measure() as scope:
    kept = grow()
growing = parts(scope)
with measure() as scope:
    kept.clear()
print(json.dumps([growing, parts(scope)]))
"""
    )
    assert growing["python"]["allocations"] >= 60_000
    assert growing["native"]["allocations"] == 0
    assert shrinking["native"]["bytes_allocated"] == 0
