"""Scopes that are open when the process forks, and when the interpreter ends."""

from __future__ import annotations

import os

import pytest

from children import measuring, output_of, run_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

FORK = """
import os, traceback, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: forking beside threads

def in_child(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

def ends_well(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def forking(code, **options):
    return measuring(FORK + code, **options)


@pytest.mark.parametrize("allocator", ["pymalloc", "debug"])
def test_an_open_scope_goes_on_in_both_processes_independently(allocator):
    before, parent, children = forking(
        """
def work(scope, size):
    block = bytes(size)
    inside = scope.stats
    return block, inside

def child():
    change = scope.stats
    block, inside = work(scope, 50_000)
    assert (inside - change).bytes_allocated >= 50_033
    freed = scope.stats.bytes_deallocated
    shared.clear()  # a block from before the fork, freed on this side only
    assert scope.stats.bytes_deallocated - freed >= 10_033
    gc.collect()
    assert one_block() == ONE
    scope.__exit__(None, None, None)
    assert scope.is_closed and backend_info().open_scopes == 0
    assert [(row.name, row.count) for row in report().rows] == [("open", 1)]

shared = []
scope = measure("open")
scope.__enter__()
shared.append(bytes(10_000))
before = scope.stats.to_dict()
ended = all([ends_well(in_child(child)) for _ in range(3)])
block = bytes(7_000)
scope.__exit__(None, None, None)
print(json.dumps([before, scope.stats.to_dict(), ended]))
""",
        PYTHONMALLOC=allocator,
    )
    assert children
    assert before["bytes_allocated"] >= 10_033
    grown = parent["bytes_allocated"] - before["bytes_allocated"]
    assert 7_033 <= grown < 50_000, "the child's work must not show here"
    assert parent["bytes_allocated"] - parent["bytes_deallocated"] >= 17_066


def test_a_child_forked_beside_allocating_threads_allocates_collects_and_exits_0():
    ended, exact = forking(
        """
raw = ctypes.CDLL(None)
raw.PyMem_RawMalloc.restype = ctypes.c_void_p
raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
raw.PyMem_RawFree.argtypes = [ctypes.c_void_p]
stop = threading.Event()
start_tracking()

def hammer():
    while not stop.is_set():
        with measure("thread"):
            for n in range(50):
                raw.PyMem_RawFree(raw.PyMem_RawMalloc(5000 + n))
            [str(n) for n in range(100)]

def child():
    class Cycle:
        def __del__(self):
            bytes(10_000)
    for _ in range(20):
        cycle = Cycle()
        cycle.itself = cycle
        del cycle
        with measure("child") as scope:
            blocks = [bytes(n) for n in range(0, 5000, 100)]
        assert scope.stats.bytes_allocated > 100_000
        gc.collect()
    assert one_block() == ONE
    report().to_json()

threads = [threading.Thread(target=hammer) for _ in range(4)]
for thread in threads:
    thread.start()
ended = [ends_well(in_child(child)) for _ in range(20)]
stop.set()
for thread in threads:
    thread.join()
print(json.dumps([all(ended), one_block() == ONE]))
"""
    )
    assert ended
    assert exact


def test_grandchildren_and_multiprocessing_work_with_the_hooks_in_place():
    output = output_of("""
        import multiprocessing, os, sys
        from allocmeter import measure

        def work(size):
            block = bytes(size)  # leaves its tuple of arguments in a free list, for the next call
            with measure("work") as scope:
                block = bytes(size)
            pid = os.fork()
            if pid == 0:
                with measure():
                    os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            return scope.stats.bytes_allocated

        if __name__ == "__main__":
            with measure("outside"), multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(work, [1000, 2000, 3000]))
    """)
    assert output == "[1033, 2033, 3033]\n"


ENDS = {
    "an open scope": """
        scope = measure("open")
        scope.__enter__()
        kept = [bytes(1000)]
    """,
    "scopes nested deeply": """
        for _ in range(5000):
            measure().__enter__()
    """,
    "live tasks inside scopes": """
        import asyncio
        async def task():
            async with measure("task"):
                await asyncio.sleep(1000)
        async def main():
            global tasks
            tasks = [asyncio.create_task(task()) for _ in range(100)]
            await asyncio.sleep(0)
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # not on stderr
        loop.run_until_complete(main())
    """,
    "async generators inside scopes": """
        async def ticks():
            async with measure("ticks"):
                while True:
                    yield bytes(1000)
        generators = [ticks() for _ in range(10)]
        for generator in generators:
            try:
                generator.asend(None).send(None)
            except StopIteration:
                pass
    """,
    "daemon threads that allocate in scopes": """
        import threading, time
        def work():
            while True:
                with measure("daemon"):
                    [bytes(n) for n in range(500, 600)]
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
    """,
    "native threads that allocate without the lock": """
        import ctypes, threading, time
        raw = ctypes.CDLL(None)
        raw.PyMem_RawMalloc.restype = ctypes.c_void_p
        raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
        raw.PyMem_RawFree.argtypes = [ctypes.c_void_p]
        def work():
            with measure("native"):
                while True:
                    raw.PyMem_RawFree(raw.PyMem_RawMalloc(5000))
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
    """,
    "exit handlers and finalizers that open scopes": """
        import atexit
        def leave():
            with measure("at exit"):
                bytes(1000)
            report().to_json()
        atexit.register(leave)
        class Late:
            def __del__(self):
                with measure("finalizer"):
                    bytes(1000)
        late = Late()
        late.itself = late
        sys.late = Late()
    """,
    "an exception through an open scope": """
        with measure("failing"):
            sys.exit(0)
    """,
    "process-wide tracking, marks and a detector": """
        start_tracking()
        kept = [PeakMemoryTracker(), LeakDetector("kept"), AllocationStats.capture()]
        with measure() as scope:
            kept.append(PeakMemoryTracker())
    """,
    "tracemalloc on top": """
        import tracemalloc
        install()
        tracemalloc.start()
        measure().__enter__()
    """,
    "tracemalloc below": """
        import tracemalloc
        tracemalloc.start()
        measure().__enter__()
        tracemalloc.stop()
    """,
    "the hooks taken away": """
        with measure() as scope:
            kept = [bytes(n) for n in range(1000)]
        uninstall()
    """,
}

USING = """
import sys
from allocmeter import (
    AllocationStats, LeakDetector, PeakMemoryTracker, install, measure, report, start_tracking,
    uninstall,
)
"""


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug"])
@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_well_with(end, allocator):
    code = USING + "\n".join(line[8:] for line in ENDS[end].splitlines())
    child = run_child(code, PYTHONMALLOC=allocator, timeout=60)
    assert (child.returncode, child.stderr) == (0, "")


def test_development_mode_finds_nothing_to_complain_about():
    for end in ("an open scope", "exit handlers and finalizers that open scopes"):
        code = USING + "\n".join(line[8:] for line in ENDS[end].splitlines())
        child = run_child(code, PYTHONDEVMODE=1, PYTHONWARNINGS="error")
        assert (child.returncode, child.stderr) == (0, "")
