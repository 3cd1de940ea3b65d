"""H1 to H4 and H13: putting the hooks in place, beside other hooks, and in all domains."""

from __future__ import annotations

import pytest

from children import measuring
from preloading import library, linux_only


def test_h01_the_variable_is_not_looked_up_while_it_is_being_set():
    wrong = measuring("""
import contextvars
from allocmeter._core.figures import current_scope

others = [contextvars.ContextVar(f"other {n}") for n in range(6)]

def run(turn):
    with measure() as outer:
        others[turn % 6].set(turn)
        with measure() as inner:
            if current_scope() is not inner:
                wrong.append([turn, "inside the inner scope"])
            blocks.append(bytes(1000))
        if current_scope() is not outer:
            wrong.append([turn, "after the inner scope"])
    if current_scope() is not None:
        wrong.append([turn, "after both"])
    if inner.stats.bytes_allocated < 1033 or outer.self_stats.bytes_allocated >= 1033:
        wrong.append([turn, str(inner.stats)])
    blocks.clear()

wrong, blocks = [], []
for n, other in enumerate(others):
    other.set(n)
for turn in range(5_000):
    contextvars.copy_context().run(run, turn)
print(json.dumps(wrong[:3]))
""")
    assert wrong == []


def test_h02_taking_the_hooks_away_below_another_tool_is_refused_and_leaves_it_working():
    refusal, sees, stopped, position = measuring(
        """
install()
tracemalloc.start()
refusal = refused(uninstall)
before = tracemalloc.get_traced_memory()[0]
block = bytes(1_000_000)
sees = tracemalloc.get_traced_memory()[0] - before
tracemalloc.stop()
stopped = not tracemalloc.is_tracing()
position = backend_info().hook_position
uninstall()
print(json.dumps([refusal, sees, stopped, [position, backend_info().hook_position]]))
""",
        timeout=30,
    )
    assert "another tool has hooked the allocators on top" in refusal
    assert sees >= 1_000_000
    assert stopped
    assert position == ["on top", "not installed"]


def test_h02_hooks_that_another_tool_removed_are_noticed_and_nothing_is_counted_in_silence():
    position, refusal, gaps, exact = measuring(
        """
tracemalloc.start()
scope = measure("open")
scope.__enter__()
tracemalloc.stop()
position = backend_info().hook_position
block = bytes(1000)
scope.__exit__(None, None, None)
refusal = refused(getattr, scope, "stats")
print(json.dumps([position, refusal, backend_info().gaps, one_block() == ONE]))
""",
        timeout=30,
    )
    assert position == "removed"
    assert "BackendUnavailableError" in refusal
    assert gaps == 1
    assert exact


def test_h02_installing_below_a_tool_that_wraps_the_hooks_never_wraps_it():
    positions, exact = measuring(
        """
install()
tracemalloc.start()
positions = []
for _ in range(100):
    install()
    positions.append(backend_info().hook_position)
blocks = [bytes(n) for n in range(2000)]
tracemalloc.stop()
print(json.dumps([sorted(set(positions)), one_block() == ONE]))
""",
        timeout=30,
    )
    assert positions == ["wrapped"]
    assert exact


@linux_only
def test_h03_threads_inside_a_hook_never_see_allocators_that_are_half_written():
    # Without tracemalloc, which is started and stopped as torn: cpython gh-128679.
    rounds, worked, exact = measuring(
        """
released = ctypes.CDLL(sys.argv[1])  # without the lock: inside a hook at any moment
worked = []
threads = [threading.Thread(target=lambda: worked.append(released.hammer())) for _ in range(3)]
for thread in threads:
    thread.start()
while released.count_hammers() < len(threads):
    time.sleep(0.001)
rounds = 0
ends = time.monotonic() + 2
while time.monotonic() < ends:
    for _ in range(100):
        install()
        uninstall()
    rounds += 100
released.end_hammering()
for thread in threads:
    thread.join()
print(json.dumps([rounds, min(worked), one_block() == ONE]))
""",
        library("hazards"),
    )
    assert rounds >= 100
    assert worked > 100
    assert exact


def test_h04_a_block_that_one_domain_asks_of_another_is_counted_once():
    found = measuring("""
from blocks import ADDRESS, Allocator, Enclosure

def grown(domain, size):
    allocator, inside = Allocator(domain), Enclosure()
    block = allocator.realloc(inside, allocator.malloc(inside, size), 2 * size)
    allocator.free(inside, block)
    allocator.free(inside, allocator.calloc(inside, 1, size))
    return (inside.scope.stats - ADDRESS - ADDRESS - ADDRESS).to_dict()

sizes = (100, 512, 513, 600, 100_000)
print(json.dumps([
    [size, grown(domain, size)] for domain in ("PyMem_", "PyObject_") for size in sizes
]))
""")
    for size, figures in found:
        assert (figures["allocations"], figures["deallocations"]) == (3, 3)
        assert figures["bytes_allocated"] == figures["bytes_deallocated"] == 4 * size


@pytest.mark.parametrize(
    ("what", "least"),
    [
        ("raw.PyMem_RawMalloc(50_000)", 50_000),
        ("[None] * 10_000", 80_000),
        ("[None] * 50", 400),  # more than 512 bytes may come from the raw domain
        ("{**known}", 250_000),
        ("bytearray(50_000)", 50_001),
        ("bytes(50_000)", 50_033),
    ],
)
def test_h13_every_domain_is_seen(what, least):
    (counted,) = measuring(f"""
raw, known = ctypes.PyDLL(None), dict.fromkeys(range(10_000))
with measure() as scope:
    block = {what}
print(json.dumps([scope.stats.bytes_allocated]))
""")
    assert least <= counted < 2 * least
