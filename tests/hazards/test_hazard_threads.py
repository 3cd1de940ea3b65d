"""H5, H6, H8, H17 and H19: threads, the interpreter lock, and other interpreters."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from allocmeter._core.library import find
from children import measuring
from hazard_library import placed
from preloading import linux_only

LOCKING = {
    *(b"pthread_mutex_lock", b"pthread_mutex_trylock", b"pthread_spin_lock", b"pthread_cond_wait"),
    *(b"pthread_rwlock_rdlock", b"pthread_rwlock_wrlock", b"mtx_lock", b"sem_wait", b"flock"),
    *(b"PyThread_acquire_lock", b"PyThread_acquire_lock_timed", b"PyMutex_Lock"),
    *(b"PyGILState_Ensure", b"PyEval_SaveThread", b"PyEval_RestoreThread", b"PyEval_AcquireThread"),
}
INTERPRETERS = ("_interpreters", "_xxsubinterpreters")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX threads")
def test_h05_the_raw_domain_never_waits_for_the_interpreter_lock():
    # The thread is made and waited for in calls that keep the lock all the time.
    blocks = measuring(
        """
held = ctypes.PyDLL(None)
held.PyMem_RawFree.argtypes = [ctypes.c_void_p]
thread, block, blocks = ctypes.c_ulong(), ctypes.c_void_p(), []
start_tracking()
with measure() as scope:
    for size in (1, 1_000, 100_000):
        for _ in range(50):
            held.pthread_create(
                ctypes.byref(thread), None, held.PyMem_RawMalloc, ctypes.c_size_t(size)
            )
            held.pthread_join(thread, ctypes.byref(block))
            blocks.append(bool(block.value))
            held.PyMem_RawFree(block)
print(json.dumps([len(blocks), all(blocks), scope.stats.bytes_allocated < 1_000_000]))
""",
        timeout=30,
    )
    assert blocks == [150, True, True]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX threads")
def test_h05_a_native_thread_may_attach_as_often_as_it_likes():
    calls, charged = measuring(
        """
libc, calls = ctypes.CDLL(None), []
entry = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
callback = entry(lambda _: calls.append(bytes(99_999)))
thread = ctypes.c_ulong()
with measure() as scope:
    for _ in range(100):
        libc.pthread_create(ctypes.byref(thread), None, callback, None)
        libc.pthread_join(thread, None)
print(json.dumps([len(calls), scope.stats.bytes_allocated]))
""",
        timeout=30,
    )
    assert calls == 100
    assert charged < 1_000_000


def test_h06_no_other_thread_runs_in_the_middle_of_an_allocation():
    # Nobody asks for the lock back before the interval is over, so another thread runs only where
    # this one lets go of the lock by itself: nowhere below.
    before, after, allocations = measuring("""
from contextvars import Context
sys.setswitchinterval(1_000)
stop, turns = False, 0

def turn():
    global turns
    while not stop:
        turns += 1
        time.sleep(0)

thread = threading.Thread(target=turn)
thread.start()
while turns < 10:
    time.sleep(0.001)
data, contexts = b"piece " * 50_000, [Context() for _ in range(100)]
with measure() as scope:
    before = turns
    table = {piece: [piece] for piece in map(bytes, range(500))}
    pieces = data.split()
    for context in contexts:
        context.run(bytearray, 5_000)
    del table, pieces
    after = turns
stop = True
thread.join()
print(json.dumps([before, after, scope.stats.allocations]))
""")
    assert after == before
    assert allocations > 50_000


@linux_only
def test_h06_an_exception_that_is_set_outlasts_an_allocation_and_none_is_left_behind():
    survived = placed("""
from contextvars import Context, ContextVar
others = [ContextVar(str(n)) for n in range(10)]

def made():
    context = Context()
    for other in others:
        context.run(other.set, 1)
    return context

enclosures = [Enclosure() for _ in range(20)]
print(json.dumps([
    held.exception_survives(context)
    for context in [made() for _ in range(20)] + [each.context for each in enclosures]
]))
""")
    assert survived == [1] * 40


def test_h06_readers_and_writers_of_one_dict_lose_nothing():
    wrong, sizes, counted, retained = measuring("""
sys.setswitchinterval(1e-6)
shared, wrong, stop = {}, [], False

def write(first):
    with measure("writer") as scope:
        for n in range(first, first + 20_000):
            shared[n] = bytes(100)
    scopes.append(scope)

def read():
    while not stop:
        try:
            for n, block in list(shared.items()):
                if len(block) != 100:
                    wrong.append(n)
        except RuntimeError:
            pass  # changed size during iteration

scopes = []
writers = [threading.Thread(target=write, args=(n * 100_000,)) for n in range(4)]
readers = [threading.Thread(target=read) for _ in range(4)]
for thread in writers + readers:
    thread.start()
for thread in writers:
    thread.join()
stop = True
for thread in readers:
    thread.join()
sizes = len(shared)
shared.clear()
print(json.dumps([
    wrong, sizes,
    [scope.stats.bytes_allocated for scope in scopes], [scope.retained_bytes for scope in scopes],
]))
""")
    assert wrong == []
    assert sizes == 80_000
    assert all(figure >= 20_000 * 133 for figure in counted)
    assert all(0 <= figure < 10_000 for figure in retained)


def test_h08_the_core_takes_no_lock_at_all():
    # What it does not import it cannot call. Words that threads share are atomic.
    names = set(re.findall(rb"[A-Za-z_][A-Za-z0-9_]+", Path(find()).read_bytes()))
    assert b"am_install" in names
    assert names.isdisjoint(LOCKING)


@linux_only
def test_h17_a_thread_state_at_the_address_of_an_old_one_does_not_inherit_its_scope():
    same, charged = placed("""
callback = ctypes.CFUNCTYPE(None)

def enter():
    scope = measure("left open")
    scope.__enter__()
    scopes.append(scope)
    kept.append(bytes(1_000))

def allocate():
    kept.append(bytes(100_000))

scopes, kept, same = [], [], []
first, second = callback(enter), callback(allocate)
for _ in range(50):
    same.append(released.attach_twice(first, second))
print(json.dumps([sum(same), [
    scope.stats.bytes_allocated for scope in scopes if scope.stats.bytes_allocated > 50_000
]]))
""")
    assert same > 0, "the hazard did not arise"
    assert charged == []


@pytest.mark.skipif(
    not any(map(importlib.util.find_spec, INTERPRETERS)), reason="no module to make interpreters"
)
def test_h19_what_another_interpreter_allocates_is_the_processes_and_no_scopes():
    scope, process, exact = measuring("""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
start_tracking()
other = interpreters.create()
interpreters.run_string(other, "pass")
before = AllocationStats.capture().bytes_allocated
with measure() as scope:
    interpreters.run_string(other, "kept = [bytes(100_000) for _ in range(100)]")
grown = AllocationStats.capture().bytes_allocated - before
interpreters.destroy(other)
print(json.dumps([scope.stats.bytes_allocated, grown, one_block() == ONE]))
""")
    assert scope < 1_000_000
    assert process > 10_000_000
    assert exact
