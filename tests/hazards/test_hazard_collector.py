"""H7, H16 and H18: the collector, its finalizers, and the end of everything."""

from __future__ import annotations

import pytest

from children import measuring, run_child
from preloading import library, linux_only, preloaded


def test_h07_a_hook_makes_nothing_that_the_collector_knows_and_starts_no_collection():
    # As many objects of the collector's, and as many collections, with a scope as without.
    without, within = measuring("""
from contextvars import Context

def counted():
    collections.clear()
    gc.collect()
    gc.collect()
    before = len(gc.get_objects())
    pieces = data.split()
    for context in contexts:
        context.run(bytearray, 5_000)
    started = len(collections)
    return started, len(gc.get_objects()) - before

collections, data = [], b"piece " * 20_000
contexts = [Context() for _ in range(300)]
gc.callbacks.append(lambda phase, _: collections.append(phase))
gc.set_threshold(20)
install()
counted()
without = counted()
with measure():
    within = counted()
print(json.dumps([without, within]))
""")
    assert within == without


def test_h18_what_finalizers_allocate_is_not_charged_to_the_task_that_triggered_the_collection():
    charged, finalizers, freed = measuring("""
class Cyclic:
    def __del__(self):
        kept.append(bytes(100_000))

def garbage():
    for _ in range(10):
        cycle = Cyclic()
        cycle.itself, cycle.block = cycle, bytes(10_000)

kept = []
gc.disable()
with measure() as owner:
    garbage()
before = backend_info().finalizer_bytes_allocated
with measure() as innocent:
    gc.collect()
print(json.dumps([
    innocent.stats.bytes_allocated,
    backend_info().finalizer_bytes_allocated - before,
    owner.late_stats.bytes_deallocated,
]))
""")
    assert charged < 10_000
    assert finalizers >= 10 * 100_033
    assert freed >= 10 * 10_033


ENDINGS = {
    "thread data": """
libc = ctypes.CDLL(None)
key = ctypes.c_uint()
assert libc.pthread_key_create(ctypes.byref(key), libc.PyMem_RawFree) == 0
libc.pthread_setspecific.argtypes = [ctypes.c_uint, ctypes.c_void_p]
def run():
    with measure("thread"):
        libc.pthread_setspecific(key, raw.PyMem_RawMalloc(5_000))
threads = [threading.Thread(target=run) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.pthread_setspecific(key, raw.PyMem_RawMalloc(5_000))
""",
    "exit functions": """
assert held.allocate_at_exit() == 0
""",
    "an open scope": "scope = measure('open')\nscope.__enter__()\nkept = [bytes(1000)]",
    "daemon threads": """
def work():
    while True:
        raw.PyMem_RawFree(raw.PyMem_RawMalloc(5_000))
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
""",
}


@linux_only
@pytest.mark.parametrize("is_preloaded", [False, True], ids=["plain", "preloaded"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_h16_allocating_while_everything_ends_ends_well(ending, is_preloaded):
    child = run_child(
        """
import ctypes, sys, threading, time
from allocmeter import measure, start_tracking
held = ctypes.PyDLL(sys.argv[1])
raw = ctypes.CDLL(None)
raw.PyMem_RawMalloc.restype = ctypes.c_void_p
raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
raw.PyMem_RawFree.argtypes = [ctypes.c_void_p]
start_tracking()
with measure("before"):
    kept = [bytes(1000) for _ in range(100)]
"""
        + ENDINGS[ending],
        library("hazards"),
        timeout=30,
        **(preloaded() if is_preloaded else {}),
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")
