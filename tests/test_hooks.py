"""The allocator hooks beside other hooks, threads without the lock, and other interpreters.

Each test runs in a process of its own: hooks belong to the process.
"""

from __future__ import annotations

import pytest

from children import measuring


def test_tracemalloc_on_top_of_the_hooks_and_the_hooks_both_go_on():
    position, ours, theirs, refusal, after = measuring("""
install()
tracemalloc.start()
position = backend_info().hook_position
before = tracemalloc.get_traced_memory()[0]
block = scope = None
with measure() as scope:
    block = bytes(1_000_000)
theirs = tracemalloc.get_traced_memory()[0] - before
refusal = refused(uninstall)
assert tracemalloc.is_tracing()
tracemalloc.stop()
assert one_block() == ONE
after = backend_info().hook_position
uninstall()
print(json.dumps([position, scope.stats.to_dict(), theirs, refusal, after]))
""")
    assert position == "wrapped"
    # What tracemalloc notes about the block and its place are raw blocks, made in the scope.
    assert 1 <= ours["allocations"] <= 3
    assert 1_000_033 <= ours["bytes_allocated"] <= 1_000_033 + 200
    assert 1_000_033 <= theirs < 1_010_000
    assert refusal.startswith("HookError")
    assert "stop that tool first" in refusal
    assert after == "on top"


DISPLACE = """
records = []
handler = logging.Handler()
handler.emit = lambda record: records.append(record.getMessage())
logging.getLogger("allocmeter").addHandler(handler)

tracemalloc.start()
finished, opened = measure("finished"), measure("open")
with finished:
    kept = bytes(1000)
opened.__enter__()
tracemalloc.stop()  # puts back the allocators it had found: ours are gone
"""


def test_a_scope_that_was_open_when_another_tool_removed_the_hooks_has_no_figures():
    refusals, finished, rows, gaps = measuring(
        DISPLACE
        + """
kept = bytes(1000)
opened.__exit__(None, None, None)
names = ["stats", "self_stats", "peak_bytes", "peak_allocations", "retained_bytes", "late_stats"]
refusals = [refused(getattr, opened, name) for name in names]
refusals += [refused(getattr, finished, name) for name in names[4:]]
print(json.dumps([
    refusals, finished.stats.to_dict(), [row.name for row in report().rows], backend_info().gaps
]))
"""
    )
    assert all("BackendUnavailableError" in refusal for refusal in refusals), refusals
    assert all("removed" in refusal for refusal in refusals)
    assert finished["allocations"] == 1, "what was final stays readable"
    assert rows == ["finished"], "an incomplete scope must not be aggregated"
    assert gaps == 1


@pytest.mark.parametrize(
    "discover",
    [
        "opened.__exit__(None, None, None)",
        "refused(getattr, opened, 'stats')",
        "refused(getattr, finished, 'retained_bytes')",
        "measure().__enter__()",
        "install()",
    ],
)
def test_the_removal_is_logged_once_however_it_is_discovered(discover):
    messages, position, after, again = measuring(
        DISPLACE
        + f"""
position = backend_info().hook_position
{discover}
with measure():
    pass
again = one_block() == ONE
print(json.dumps([records, position, backend_info().hook_position, again]))
"""
    )
    assert position == "removed"
    assert after == "on top"
    assert again
    assert len(messages) == 1
    assert "removed the allocator hooks" in messages[0]


def test_the_first_scope_after_a_removal_counts_exactly():
    exact = measuring("""
tracemalloc.start()
install()
tracemalloc.stop()
print(json.dumps(one_block() == ONE))
""")
    assert exact


@pytest.mark.parametrize("removal", ["tracemalloc.stop()", "uninstall()"])
def test_process_figures_across_a_removal_are_refused(removal):
    refusals = measuring(f"""
tracemalloc.start()
start_tracking()
tracker, detector = PeakMemoryTracker(), LeakDetector()
block = bytes(1000)
{removal}
block = bytes(1_000_000)
print(json.dumps([
    refused(AllocationStats.capture),
    refused(lambda: tracker.peak_bytes),
    refused(lambda: detector.net_bytes),
]))
""")
    assert all("BackendUnavailableError" in refusal for refusal in refusals), refusals


def test_many_rounds_of_another_tool_need_no_more_layers_than_one():
    exact = measuring("""
exact = 0
for _ in range(300):
    tracemalloc.start()
    with measure():
        pass
    tracemalloc.stop()
    with measure():
        pass
    exact += one_block() == ONE
print(json.dumps([exact, backend_info().hook_position]))
""")
    assert exact == [300, "on top"]


@pytest.mark.slow
@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug", "malloc_debug"])
def test_installing_and_uninstalling_a_thousand_times_beside_allocating_threads(allocator):
    rounds, exact, worked = measuring(
        """
sys.setswitchinterval(1e-5)
stop, worked = threading.Event(), [0] * 8
raw = ctypes.CDLL(None)  # releases the lock: the raw allocator runs beside everything
raw.PyMem_RawMalloc.restype = ctypes.c_void_p
raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
raw.PyMem_RawRealloc.restype = ctypes.c_void_p
raw.PyMem_RawRealloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
raw.PyMem_RawFree.argtypes = [ctypes.c_void_p]

def work(index):
    kept = []
    while not stop.is_set():
        kept.append([bytes(n) for n in (10, 600, 5000)])
        kept.append({str(n): bytearray(n) for n in range(30)})
        block = raw.PyMem_RawRealloc(raw.PyMem_RawMalloc(100), 2000)
        raw.PyMem_RawFree(block)
        if index % 2:
            try:
                with measure("worker"):
                    kept.append("x" * 700)
            except HookError:
                pass
        if len(kept) > 40:
            del kept[:]
        worked[index] += 1

threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
for thread in threads:
    thread.start()
rounds = 0
while rounds < 1000:
    install()
    try:
        uninstall()
    except HookError:  # a worker's scope is open
        continue
    finally:
        time.sleep(0.0005)
    rounds += 1
stop.set()
for thread in threads:
    thread.join()
exact = [one_block() == ONE for _ in range(100)]
print(json.dumps([rounds, all(exact), min(worked)]))
""",
        PYTHONMALLOC=allocator,
        timeout=300,
    )
    assert rounds == 1000
    assert exact
    assert worked > 0
