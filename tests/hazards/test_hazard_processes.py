"""H9, H21 to H23: forks, growth without end, and processes that are not Python's."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from allocmeter import _native
from allocmeter._core.preload import VARIABLE, find
from children import measuring
from preloading import library, linux_only, natively, preloaded, program, run_program

FORKING = """
import contextvars, os, signal, traceback, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: forking beside threads

def in_child(function):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # for a child that is stuck
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@linux_only
def test_h09_a_child_forked_in_the_middle_of_allocations_goes_on_by_itself():
    statuses, parent, exact = measuring(
        FORKING
        + """
released = ctypes.CDLL(sys.argv[1])

def hammer():
    with measure("thread"):
        object()  # a thread without the lock charges the scope of its last allocation with it
        released.hammer()

def child():
    class Cycle:
        def __del__(self):
            bytes(10_000)
    before = opened.stats.bytes_allocated
    for _ in range(3):
        cycle = Cycle()
        cycle.itself = cycle
        del cycle
        gc.collect()
    block = bytes(1_000_000)
    assert opened.stats.bytes_allocated - before >= 1_000_033
    opened.__exit__(None, None, None)
    assert one_block() == ONE
    report().to_json()

opened, context = measure("open"), contextvars.copy_context()
context.run(opened.__enter__)
threads = [threading.Thread(target=hammer) for _ in range(3)]
for thread in threads:
    thread.start()
while released.count_hammers() < len(threads):
    time.sleep(0.001)
statuses = [in_child(lambda: context.run(child)) for _ in range(8)]
released.end_hammering()
for thread in threads:
    thread.join()
context.run(opened.__exit__, None, None, None)
print(json.dumps([statuses, opened.stats.bytes_allocated, one_block() == ONE]))
""",
        library("hazards"),
        timeout=60,
    )
    assert statuses == [0] * 8
    assert parent < 1_000_000, "what the children did is theirs"
    assert exact


@linux_only
def test_h09_what_a_thread_was_about_to_charge_when_the_process_forked_is_let_go_in_the_child():
    # The thread is gone there, and nothing but it knows of the scope it was allocating for.
    statuses = natively(
        FORKING
        + """
from blocks import Enclosure
attaching = ctypes.CDLL(sys.argv[1])
attaching.attach_leave_behind.argtypes = [ctypes.py_object, ctypes.c_size_t]
released.mallopt(-3, 64 * MIB)  # M_MMAP_THRESHOLD: a calloc is to take its time

def child():
    enclosure.leave()
    kept = backend_info().scopes_kept
    del enclosure.scope, enclosure.context
    with measure():
        bytes(10)
    assert backend_info().scopes_kept < kept, "the scope stays for ever"

statuses = []
for _ in range(10):
    enclosure = Enclosure()
    assert attaching.attach_leave_behind(enclosure.context, 4 * MIB) == 0
    statuses.append(in_child(child))
    attaching.attach_end()
print(json.dumps(statuses))
""",
        library("attach"),
        timeout=60,
    )
    assert statuses == [0] * 10


def test_h21_scopes_names_and_samples_without_end_take_bounded_memory():
    names, kept, made, grown, retained = measuring("""
import asyncio
from allocmeter._core.figures import read_core

def spend(count, first):
    for n in range(first, first + count):
        with measure(f"name {n}"):
            block = bytes(n % 700)
        with measure("one"):
            leaks.append(bytes(10)) if n % 100 == 0 else None

async def tasks(count):
    async def task():
        async with measure("task"):
            await asyncio.sleep(0)
    for _ in range(count):
        await asyncio.gather(*(task() for _ in range(50)))

def held():
    gc.collect()
    report()
    info = backend_info()
    return info.own_bytes + info.own_table_bytes

leaks = []
spend(20_000, 0)
asyncio.run(tasks(20))
leaks.clear()
before, made = held(), read_core().nodes_made
spend(60_000, 20_000)
asyncio.run(tasks(100))
leaks.clear()
print(json.dumps([
    len(report().rows), backend_info().scopes_kept, read_core().nodes_made - made,
    held() - before, len(report().to_json()) < 5_000_000,
]))
""")
    assert names == 1001
    assert kept == 0
    assert made < 1_000
    assert grown < 200_000
    assert retained


@linux_only
@pytest.mark.parametrize("binding", [{}, {"LD_BIND_NOW": "1"}], ids=["lazy", "now"])
def test_h22_programs_that_are_not_python_run_unharmed(tmp_path, binding):
    script = "for i in 3 1 2; do echo $i; done | sort; ls / > /dev/null; exit 3"
    commands = [["sh", "-c", script]]
    if shutil.which("cc") is not None:
        (tmp_path / "a.c").write_text("int main(void) { return 4; }\n")
        commands.append(["sh", "-c", "cc -O1 -o a a.c && ./a"])
    for command in commands:
        plain = run_program(command, cwd=tmp_path, **{VARIABLE: None}, **binding)
        below = run_program(command, cwd=tmp_path, **preloaded(), **binding)
        assert (below.returncode, below.stdout, below.stderr) == (
            plain.returncode,
            plain.stdout,
            plain.stderr,
        )
        assert plain.returncode in (3, 4)


@linux_only
def test_h22_the_preload_library_knows_nothing_of_the_interpreter():
    assert re.search(rb"\b_?Py[A-Z_]\w+\(?", Path(find()).read_bytes()) is None


@linux_only
def test_h23_allocating_before_the_real_functions_are_known_works():
    # The program is the preload library itself, with a dlsym that allocates awkwardly.
    end = run_program([program("bootstrap", "-I", Path(_native.__path__[0]))])
    assert (end.returncode, end.stderr) == (0, "")


@linux_only
@pytest.mark.parametrize("place", ["before", "after"])
def test_h23_constructors_that_allocate_before_everything_else_work(place):
    early = library("early")
    user = program("early_user", early, f"-Wl,-rpath,{Path(early).parent}")
    end = run_program([user], **preloaded(**{place: [early]}))
    assert (end.returncode, end.stdout, end.stderr) == (0, "well\n", "")
