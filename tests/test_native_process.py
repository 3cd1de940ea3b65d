"""Processes with the native domain: how they multiply, and how they end."""

from __future__ import annotations

import sys

import pytest

from preloading import (
    library,
    linux_only,
    natively,
    preloaded,
    preloaded_child,
    preloaded_output,
    run_program,
)

pytestmark = linux_only

NATIVELY = """
import ctypes, json, os, sys, threading, warnings
from allocmeter import backend_info, measure, start_tracking
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: forking beside threads
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def native(scope):
    return scope.by_domain()["native"]

def counted():
    with measure() as scope:
        libc.free(libc.malloc(12_345))
    return native(scope).bytes_allocated
"""


def test_a_fork_beside_threads_that_allocate_natively_goes_on_counting_in_both():
    children, parent, open_scope = natively(
        """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: forking beside threads

def work():
    while not stop.is_set():
        released.free(released.realloc(released.malloc(300), 70_000))

def counted():
    with measure() as scope:
        released.free(released.malloc(12_345))
    return native(scope).bytes_allocated

def child():
    before = native(scope).bytes_allocated
    block = released.malloc(777)
    assert native(scope).bytes_allocated == before + 777
    released.free(shared)
    assert native(scope).bytes_deallocated >= 1_000
    return counted() == 12_345

stop = threading.Event()
start_tracking()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
scope = measure()
scope.__enter__()
shared = released.malloc(1_000)
codes = []
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if child() else 1)
        except BaseException:
            os._exit(2)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for thread in threads:
    thread.join()
scope.__exit__(None, None, None)
print(json.dumps([codes, counted(), native(scope).to_dict()]))
"""
    )
    assert children == [0] * 20
    assert parent == 12_345
    # 3.12+ reads /proc at a fork, to warn of threads; the buffers come and go.
    assert open_scope["bytes_allocated"] - open_scope["bytes_deallocated"] == 1_000
    assert open_scope["bytes_allocated"] < 100_000, "the threads' work must not show here"


def test_a_subprocess_inherits_it_and_counts_on_its_own():
    output = preloaded_output(
        NATIVELY
        + """
import subprocess
code = sys.argv[1]
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout, end="")
print(counted())
""",
        NATIVELY + "print(counted(), backend_info().domains)",
    )
    assert output == "12345 {'python': '', 'native': ''}\n12345\n"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_counts_in_every_worker(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(
        NATIVELY
        + f"""
import multiprocessing

def work(number):
    return counted(), backend_info().domains["native"]

if __name__ == "__main__":
    start_tracking()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(work, range(4)) == [(12_345, "")] * 4, counted())
        pool.close()
        pool.join()
"""
    )
    end = run_program([sys.executable, script], **preloaded())
    assert (end.returncode, end.stdout, end.stderr) == (0, "True 12345\n", "")


# Endings ------------------------------------------------------------------------------------------

ENDINGS = {
    "return": "",
    "sys.exit": "sys.exit(0)",
    "os._exit": "sys.stdout.flush(); os._exit(0)",
    "atexit": "import atexit; atexit.register(counted); atexit.register(libc.malloc, 99)",
    "thread-local data": """
libc_early = ctypes.CDLL(sys.argv[1])
libc_early.early_mark_thread()
threading.Thread(target=libc_early.early_mark_thread).start()
assert libc_early.early_run_thread() == 0
""",
    "open scope": "scope = measure('open'); scope.__enter__(); kept = libc.malloc(10)",
    "module globals": """
class Late:
    def __del__(self, libc=libc):
        libc.free(libc.malloc(1000))
late = sys.late = Late()
""",
    "daemon threads": """
def work():
    while True:
        libc.free(libc.malloc(100_000))
        list(range(100))
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
""",
    "daemon threads in C": """
family = ctypes.CDLL(sys.argv[2])
class Account(ctypes.Structure):
    _fields_ = [(str(number), ctypes.c_int64) for number in range(6)]
def work():
    family.family_exercise(ctypes.byref(Account()), 1, 1 << 30)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
""",
    "uninstalled": "from allocmeter import stop_tracking, uninstall; stop_tracking(); uninstall()",
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("allocator", ["pymalloc", "malloc"])
def test_a_process_ends_as_it_should(ending, allocator):
    child = preloaded_child(
        NATIVELY + "start_tracking()\nassert counted() == 12_345\nprint('end')\n" + ENDINGS[ending],
        library("early"),
        library("family"),
        PYTHONMALLOC=allocator,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "end\n", "")


def test_an_interpreter_that_is_ended_in_the_middle_of_a_process_lets_it_go_on():
    child = preloaded_child(
        NATIVELY
        + """
start_tracking()
early = ctypes.PyDLL(sys.argv[1])
early.finish_interpreter(12)
""",
        library("finishing"),
    )
    assert (child.returncode, child.stdout, child.stderr) == (12, "well\n", "")
