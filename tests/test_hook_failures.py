"""Hooks and scopes where something fails around them: nothing is lost, nothing is left behind."""

from __future__ import annotations

import sys

import pytest

from children import measuring, output_of, run_child


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug"])
def test_an_allocation_that_fails_is_not_counted_and_nothing_is_left_behind(allocator):
    pytest.importorskip("_testcapi")
    survivors = measuring(
        """
import _testcapi

def work():
    keys = [str(n) * 20 for n in range(50)]
    return len({key: bytes(600) for key in keys})

def work_with_one_failure(failing):
    with measure() as scope:
        _testcapi.set_nomemory(failing, failing + 1)
        try:
            work()
        except MemoryError:
            pass
        finally:
            _testcapi.remove_mem_hooks()
    return scope  # what is alive is read later: this frame is an object now, made in the scope

work()
for _ in range(2):  # what the first round leaves in free lists, the second finds there
    scopes = [work_with_one_failure(failing) for failing in range(200)]
retained = [(scope.retained_allocations, scope.retained_bytes) for scope in scopes]
print(json.dumps([pair for pair in retained if pair != (0, 0)]))
""",
        PYTHONMALLOC=allocator,
    )
    assert survivors == []


def test_entering_and_leaving_without_memory_raises_memory_error_and_leaves_no_scope_current():
    pytest.importorskip("_testcapi")
    anomalies = measuring("""
import _testcapi
from allocmeter._core.figures import current_scope
assert one_block() == ONE  # and this thread has a context: making one would crash CPython 3.11
scope = error = before = after = None
anomalies = []
for failing in range(60):
    scope = measure("scope")
    before = current_scope()
    _testcapi.set_nomemory(failing, failing + 1)
    try:
        try:
            with scope:
                pass
        finally:
            _testcapi.remove_mem_hooks()
    except MemoryError:
        pass
    except BaseException as error:
        anomalies.append([failing, repr(error)])
    if current_scope() is not None:
        anomalies.append([failing, f"{current_scope()!r} is current"])
    if backend_info().open_scopes:
        anomalies.append([failing, "a scope is still open"])
    if scope.is_closed and scope.stats != AllocationStats():
        anomalies.append([failing, str(scope.stats)])
assert one_block() == ONE
print(json.dumps(anomalies))
""")
    assert anomalies == []


def test_methods_of_a_scope_refuse_other_objects():
    for use in (
        "measure.__enter__(object())",
        "measure.__exit__([], None, None, None)",
        "measure.__aenter__(b'')",
        "detached.__enter__(measure())",
        "detached.__exit__(measure(), None, None, None)",
    ):
        code = f"""
            from allocmeter import detached, measure
            try:
                {use}
            except TypeError:
                print("refused")
        """
        assert output_of(code) == "refused\n", use


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="since 3.12 C calls do not count")
def test_a_look_up_at_the_recursion_limit_leaves_no_exception_behind():
    # With other variables in the context, looking ours up may compare two of them, which counts
    # as a call before 3.12.
    code = """
        import contextvars, random, sys
        from allocmeter import measure

        elsewhere = measure()
        contextvars.Context().run(elsewhere.__enter__)
        others = [contextvars.ContextVar(str(n)) for n in range(64)]

        def context():
            made = contextvars.Context()
            for other in random.sample(others, 14):
                made.run(other.set, 1)
            return made

        def allocate(n):
            return [n]

        def descend(context):
            context.run(allocate, 700)
            descend(context)

        for limit in range(60, 130):
            for each in [context() for _ in range(10)]:
                sys.setrecursionlimit(limit)
                try:
                    descend(each)
                except RecursionError:
                    pass
                finally:
                    sys.setrecursionlimit(1000)
    """
    process = run_child(code)
    assert process.returncode == 0, process.stderr[-500:]


@pytest.mark.skipif(sys.platform == "win32", reason="uses a timer signal")
@pytest.mark.skipif(
    sys.version_info[:2] == (3, 14),
    reason="3.14 runs signal handlers between __enter__ and the body, where no `with` leaves what "
    "it has entered: a threading.Lock stays locked as well",
)
@pytest.mark.parametrize("leaves_by", ["pass", "raise ValueError"])
def test_an_exception_from_a_signal_handler_is_raised_and_closes_its_scopes(leaves_by):
    raised, lost, opened, exact = measuring(f"""
import signal
from allocmeter._core.figures import current_scope

class Interrupted(Exception):
    pass

def interrupt(*_):
    if armed:
        raise Interrupted

def run():
    try:
        with measure("outer"), measure("inner"):
            {leaves_by}
    except ValueError:
        pass

def note(event):
    global armed
    armed = False
    lost.append(repr(event.object))

armed, raised, lost = False, 0, []
sys.unraisablehook = note
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
ends = time.monotonic() + 3
while time.monotonic() < ends:
    try:
        armed = True
        run()
        armed = False
    except Interrupted:
        armed = False
        raised += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert current_scope() is None
print(json.dumps([raised, lost, backend_info().open_scopes, one_block() == ONE]))
""")
    assert raised > 10
    assert lost == []
    assert opened == 0
    assert exact
