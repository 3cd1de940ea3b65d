"""Allocations of threads without the interpreter lock, of native threads, and of greenlets."""

from __future__ import annotations

import os
import sys

import pytest

from children import measuring

# AddressSanitizer asks the system for each large block, and for the memory that shadows it.
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")

RAW = """
raw = ctypes.CDLL(None)  # unlike PyDLL, it releases the lock around each call
raw.PyMem_RawMalloc.restype = raw.PyMem_RawRealloc.restype = ctypes.c_void_p
raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
raw.PyMem_RawRealloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
raw.PyMem_RawFree.argtypes = [ctypes.c_void_p]
MIB = 1 << 20
"""


def test_raw_blocks_made_without_the_lock_are_charged_to_the_scope_of_their_thread():
    alone, scopes, outer = measuring(
        RAW
        + """
from allocmeter.doctor.known_blocks import Address  # a number may cost a block, or none
raw.PyMem_RawMalloc.restype = raw.PyMem_RawRealloc.restype = Address
raw.PyMem_RawRealloc.argtypes = [Address, ctypes.c_size_t]
raw.PyMem_RawFree.argtypes = [Address]

def use(size, twice, count):
    block = raw.PyMem_RawRealloc(raw.PyMem_RawMalloc(size), twice)
    for _ in range(count):
        raw.PyMem_RawFree(raw.PyMem_RawMalloc(size))
    return block

def run(size):
    twice = 2 * size
    with measure() as scope:
        block = use(size, twice, 50)
    blocks.append(block)
    scopes[size] = scope

# While one thread is in a call, another could find no tuple for its arguments in the free lists.
spare = [(number,) * length for number in range(64) for length in (1, 2, 3)]
del spare
blocks, scopes = [], {}
run(MIB)
alone = scopes.pop(MIB).stats.to_dict()
with measure() as outer:
    threads = [threading.Thread(target=run, args=(size * MIB,)) for size in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
figures = {size // MIB: scope.stats.to_dict() for size, scope in scopes.items()}
print(json.dumps([alone, figures, outer.stats.bytes_allocated]))
"""
    )
    big = 1 << 20
    for size, figures in scopes.items():
        assert figures["allocations"] == alone["allocations"]
        assert figures["deallocations"] == alone["deallocations"]
        assert figures["reallocations"] == 1
        extra = 53 * big * (int(size) - 1)
        assert figures["bytes_allocated"] == alone["bytes_allocated"] + extra
    assert outer < 1_000_000, "a new thread starts outside every scope"


def test_a_peak_counts_what_is_alive_without_the_lock_at_that_moment():
    (peak,) = measuring(
        RAW
        + """
def work():
    small = [object() for _ in range(1000)]  # so that no later high of blocks settles anything
    del small
    block = bytearray(100 * MIB)
    del block
    held = raw.PyMem_RawMalloc(80 * MIB)
    block = bytearray(80 * MIB)
    del block
    raw.PyMem_RawFree(held)

with measure() as scope:
    work()
print(json.dumps([scope.peak_bytes / MIB]))
"""
    )
    assert 160 <= peak < 160.1


def test_many_threads_without_the_lock_lose_no_event():
    expected, found = measuring(
        RAW
        + f"ROUNDS = {300 if SANITIZED else 3000}"
        + """
from contextvars import copy_context
sys.setswitchinterval(1e-5)
THREADS = 8

def hammer(size):
    for _ in range(ROUNDS):
        raw.PyMem_RawFree(raw.PyMem_RawMalloc(size))

with measure() as scope:
    threads = [
        threading.Thread(target=copy_context().run, args=(hammer, size * MIB))
        for size in range(1, THREADS + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
total = ROUNDS * MIB * sum(range(1, THREADS + 1))
stats = scope.stats
print(json.dumps([total, [stats.bytes_allocated, stats.bytes_deallocated]]))
"""
    )
    assert all(0 <= figure - expected < 20_000_000 for figure in found)


def test_a_raw_block_freed_after_its_scope_by_a_thread_without_the_lock_is_credited_to_it():
    retained, late, kept = measuring(
        RAW
        + """
def make():
    with measure() as scope:
        block = raw.PyMem_RawMalloc(10 * MIB)
    return scope, block

pairs = [make() for _ in range(20)]
before = [scope.retained_bytes > 10 * MIB for scope, _ in pairs]
threads = [threading.Thread(target=raw.PyMem_RawFree, args=(block,)) for _, block in pairs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
after = [scope.retained_bytes < 1000 for scope, _ in pairs]
late = [scope.late_stats.bytes_deallocated >= 10 * MIB for scope, _ in pairs]
pairs.clear()
del threads
backend_info()
print(json.dumps([all(before) and all(after), all(late), backend_info().scopes_kept]))
"""
    )
    assert retained
    assert late
    assert kept <= 20


def test_a_new_thread_state_at_an_old_address_does_not_inherit_the_scope():
    reused, wrong = measuring(
        RAW
        + """
# Every thread of C code that calls into Python has a thread state for the length of the call, made
# where the last one was.
state_of = ctypes.pythonapi.PyThreadState_Get
state_of.restype = ctypes.c_void_p
pthread = ctypes.CDLL(None)
entry = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
states, wrong = [], []

def with_scope(_):
    states.append(state_of())
    with measure("owner") as scope:
        leaks.append(bytes(5000))
        opened.append(scope)
    left_open = measure("left open")
    left_open.__enter__()
    leaks.append(bytes(7000))
    opened.append(left_open)

def without_scope(_):
    states.append(state_of())
    leaks.append(bytes(123_457))

leaks, opened = [], []
entries = [entry(with_scope), entry(without_scope)]
thread = ctypes.c_ulong()
for _ in range(50):
    for each in entries:
        pthread.pthread_create(ctypes.byref(thread), None, each, None)
        pthread.pthread_join(thread, None)
wrong = [str(scope.stats) for scope in opened if scope.stats.bytes_allocated > 100_000]
wrong += [str(scope.late_stats) for scope in opened if scope.late_stats.allocations]
print(json.dumps([len(states) - len(set(states)), wrong]))
"""
    )
    assert reused > 0, "the hazard did not arise"
    assert wrong == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX threads")
def test_a_native_thread_that_attaches_again_and_again_is_charged_to_nobody():
    figures = measuring(
        """
entry = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
libc = ctypes.CDLL(None)
calls = []
callback = entry(lambda _: calls.append(bytes(99_999)))
thread = ctypes.c_ulong()
with measure() as scope:
    for _ in range(200):
        libc.pthread_create(ctypes.byref(thread), None, callback, None)
        libc.pthread_join(thread, None)
print(json.dumps([len(calls), scope.stats.bytes_allocated]))
"""
    )
    assert figures[0] == 200
    assert figures[1] < 1_000_000


def test_greenlets_keep_their_scopes_apart():
    pytest.importorskip("greenlet")
    figures, current = measuring("""
import contextvars, greenlet
from allocmeter._core.figures import current_scope
ROUNDS = 50

def run(name, size):
    with measure(name) as scope:
        scopes[name] = scope
        for _ in range(ROUNDS):
            kept[next(places)] = bytes(size)
            hub.switch()

kept, places, scopes, hub = [None] * 250, iter(range(250)), {}, greenlet.getcurrent()
workers = []
for index in range(1, 6):
    worker = greenlet.greenlet(run)
    worker.gr_context = contextvars.copy_context()
    workers.append(worker)
for index, worker in enumerate(workers, 1):
    worker.switch(f"greenlet {index}", 100_000 * index)
while any(not worker.dead for worker in workers):
    for worker in workers:
        if not worker.dead:
            worker.switch()
figures = [scopes[f"greenlet {index}"].stats.bytes_allocated for index in range(1, 6)]
print(json.dumps([figures, current_scope() is None]))
""")
    assert current
    for index, figure in enumerate(figures, 1):
        # Each switch copies a piece of the stack, a few kB, into a block of its own.
        assert 0 <= figure - 50 * (100_000 * index + 33) < 50 * 8_000
