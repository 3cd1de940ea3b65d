"""The native domain on many threads, with the interpreter lock and without it."""

from __future__ import annotations

import sys

import pytest

from preloading import library, linux_only, natively

pytestmark = [linux_only, pytest.mark.exact]

CHURN = """
class Account(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in (
        "allocations", "deallocations", "reallocations", "bytes_allocated", "bytes_deallocated",
    )]

churning, churning_held = ctypes.CDLL(sys.argv[1]), ctypes.PyDLL(sys.argv[1])
churning.churn_highest.restype = ctypes.c_int64

def account(owner):
    found = Account()
    churning.churn_account(owner, ctypes.byref(found))
    return AllocationStats.from_figures(found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kinds", ["released", "held", "both"])
def test_totals_are_those_of_a_model_when_blocks_change_hands_between_scopes_and_threads(kinds):
    rounds, scopes, outer_exact, peaks = natively(
        CHURN
        + f"""
from contextvars import copy_context
sys.setswitchinterval(1e-5)
THREADS, SCOPES, ROUNDS = 8, 4, 4_000
KINDS = {{"released": [churning], "held": [churning_held], "both": [churning, churning_held]}}
kinds = KINDS[{kinds!r}]

def run(thread):
    for turn in range(SCOPES):
        owner = thread * SCOPES + turn
        with measure() as scope:
            for part in range(4):
                kind = kinds[(thread + part) % len(kinds)]
                assert kind.churn(owner, ROUNDS // 4, owner * 4 + part + 1) == 0
        scopes[owner] = scope

scopes = {{}}
with measure() as outer:
    threads = [
        threading.Thread(target=copy_context().run, args=(run, number)) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figures = native(outer)
    model = sum((account(owner) for owner in scopes), AllocationStats())
    rest = figures - model  # a thread of Python costs a few blocks of the C library's
    peaks = [churning.churn_highest(), outer.peak_bytes, figures.bytes_allocated]
    churning.churn_end()
exact = []
for owner, scope in scopes.items():
    expected, found = account(owner), native(scope)
    retained = scope.retained_bytes
    exact.append([
        found.allocations == expected.allocations,
        found.bytes_allocated == expected.bytes_allocated,
        found.reallocations == expected.reallocations,
        found.deallocations <= expected.deallocations,
        retained < 2_000,  # a few numbers and dicts of Python
    ])
now = native(outer)
model = sum((account(owner) for owner in scopes), AllocationStats())
rest_now = now - model
print(json.dumps([
    sum(account(owner).allocations for owner in scopes),
    [all(column) for column in zip(*exact)],
    [rest.to_dict(), rest_now.to_dict()],
    peaks,
]))
""",
        library("churn"),
    )
    assert rounds > 128_000
    assert scopes == [True] * 5
    while_open, at_end = outer_exact
    assert while_open["bytes_allocated"] == at_end["bytes_allocated"]
    assert 0 <= at_end["allocations"] <= 8 * 3
    assert 0 <= at_end["deallocations"] <= at_end["allocations"]
    assert at_end["reallocations"] == 0
    true_peak, peak, everything = peaks
    assert true_peak <= peak <= everything


def test_a_peak_lies_between_the_true_one_and_the_sum_of_what_each_kind_of_thread_had():
    exact, together, apart = natively(
        """
def peak(first, second, *, keep):
    with measure() as scope:
        block = first.malloc(10 * MIB)
        if not keep:
            first.free(block)
        other = second.malloc(5 * MIB)
        second.free(other)
        if keep:
            first.free(block)
    return scope.peak_bytes / MIB

pairs = [(held, released), (released, held), (released, released), (held, held)]
print(json.dumps([
    [peak(held, held, keep=keep) for keep in (True, False)],
    [peak(first, second, keep=True) for first, second in pairs],
    [peak(first, second, keep=False) for first, second in pairs],
]))
"""
    )
    small = 0.01
    assert exact == [pytest.approx(15, abs=small), pytest.approx(10, abs=small)]
    assert together == [pytest.approx(15, abs=small)] * 4
    assert all(10 <= peak <= 15 + small for peak in apart)


# Threads that C code made -------------------------------------------------------------------------

ATTACHING = """
class Plan(ctypes.Structure):
    _fields_ = [
        ("attached", ctypes.c_void_p), ("argument", ctypes.c_void_p), ("count", ctypes.c_long),
        ("size", ctypes.c_size_t), ("keep", ctypes.c_int),
    ]

attaching = ctypes.CDLL(sys.argv[1])
attaching.attach_pair.argtypes = [ctypes.c_long]
attaching.attach_leave_behind.argtypes = [ctypes.py_object, ctypes.c_size_t]
attaching.attach_end.restype = ctypes.c_long
"""


def test_a_thread_that_attaches_and_detaches_is_charged_to_the_process_and_to_no_scope():
    counted, scope = natively(
        ATTACHING
        + """
def attached(_):
    kept.append(bytes(9))
    return 0

kept = []
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(attached)
plan = Plan(ctypes.cast(callback, ctypes.c_void_p), None, 10_000, 3_000, 0)
start_tracking()
attaching.attach_run(ctypes.byref(plan))
first = process()
with measure() as scope:
    attaching.attach_run(ctypes.byref(plan))
counted = process() - first
print(json.dumps([[counted.allocations, counted.bytes_allocated], native(scope).to_dict()]))
""",
        library("attach"),
    )
    blocks, size = counted
    assert 20_000 <= blocks <= 20_010  # making the thread costs a block or two
    assert 60_000_000 <= size < 60_010_000
    assert scope["allocations"] <= 2


def test_a_thread_that_opened_a_scope_while_attached_is_charged_to_nobody_else_later():
    inside, later = natively(
        ATTACHING
        + """
def opened(_):
    with measure() as scope:
        block = held.malloc(500)
    scopes.append(scope)
    held.free(block)
    return 0

scopes = []
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(opened)
plan = Plan(ctypes.cast(callback, ctypes.c_void_p), None, 1_000, 3_000, 0)
for _ in range(20):
    attaching.attach_run(ctypes.byref(plan))
print(json.dumps([
    [native(scope).bytes_allocated for scope in scopes],
    [scope.late_stats.bytes_allocated for scope in scopes],
]))
""",
        library("attach"),
    )
    assert inside == [500] * 20
    assert later == [0] * 20


def test_a_free_without_the_lock_is_told_from_one_by_the_thread_state_that_took_its_place():
    # The malloc behind ours hands out the latest block first, so the second thread's state comes to
    # lie where the first one's was.
    second = library("second_malloc", "-DTINY_ALIGNMENT=16")
    same, alone, off = natively(
        ATTACHING
        + """
start_tracking()
same = []

def beyond(blocks):
    first = process()
    same.append(attaching.attach_pair(blocks))
    change = process() - first
    return [change.allocations - 2 * blocks, change.deallocations - 2 * blocks, change.net_bytes]

beyond(1_000)
alone = beyond(1_000)  # the list of the blocks, and what the two threads cost
print(json.dumps([same, alone, [beyond(100_000) for _ in range(30)]]))
""",
        library("attach"),
        around={"after": [second]},
    )
    assert 1 in same, "the hazard did not arise"
    assert alone[0] < 20
    assert off == [[alone[0], alone[0], 0]] * 30


def test_a_scope_that_goes_while_a_thread_without_the_lock_allocates_for_it_leaves_no_trace():
    # What the thread last resolved is recycled in the middle of a malloc.
    off, wrong, kept = natively(
        ATTACHING
        + """
from blocks import Enclosure

def once():
    enclosure = Enclosure()
    assert attaching.attach_leave_behind(enclosure.context, MIB) == 0
    scope = enclosure.scope
    while not scope.stats.bytes_allocated > 3 * MIB:
        pass
    enclosure.leave()
    del scope, enclosure.scope, enclosure.context
    for _ in range(20):
        with measure() as scope:
            bytes(10)
        if scope.stats.bytes_allocated > 1_000 or scope.retained_bytes:
            wrong.append(str(scope.stats))
    return attaching.attach_end()

wrong = []
released.mallopt(-3, 64 * MIB)  # M_MMAP_THRESHOLD: a calloc is to take its time
start_tracking()
once()
before = backend_info().scopes_kept
first = process()
count = sum(once() for _ in range(100))
change = process() - first
print(json.dumps([
    [change.bytes_allocated // MIB - count, change.bytes_deallocated // MIB - count],
    wrong, backend_info().scopes_kept - before,
]))
""",
        library("attach"),
        timeout=60,
    )
    assert off == [0, 0]
    assert wrong == []
    assert -2 <= kept <= 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 shares one lock")
def test_other_interpreters_are_charged_to_the_process():
    counted, scope = natively(
        """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

work = "import os\\nfor _ in range(300): os.listdir('/')"  # each asks malloc for 32 KiB
others = [interpreters.create() for _ in range(4)]
start_tracking()
for other in others:
    interpreters.run_string(other, work)
first = process()
with measure() as scope:
    interpreters.run_string(others[0], work)
alone = process() - first
first = process()
threads = [
    threading.Thread(target=interpreters.run_string, args=(other, work)) for other in others
]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    with measure() as beside:
        held.free(held.malloc(100))
    assert native(beside).bytes_allocated == 100, native(beside)
for other in others:
    interpreters.destroy(other)
print(json.dumps([alone.bytes_allocated, native(scope).bytes_allocated]))
"""
    )
    assert counted > 300 * 32_768
    assert scope < 100_000
