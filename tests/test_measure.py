"""The `measure` object itself: what it refuses, and what it says then."""

from __future__ import annotations

import contextlib
import copy
import pickle
import warnings

import pytest

from allocmeter import AllocationStats, Registry, measure
from allocmeter._core.figures import current_scope
from children import output_of
from operations import block, one_block

READINGS = [
    "stats",
    "self_stats",
    "late_stats",
    "peak_bytes",
    "peak_allocations",
    "retained_bytes",
    "retained_allocations",
]


@pytest.mark.parametrize("reading", READINGS)
def test_figures_of_a_scope_that_was_never_entered_are_refused(reading):
    with pytest.raises(RuntimeError, match=r"measure\('a'\) has not been entered.*enter it with"):
        getattr(measure("a"), reading)


def test_entering_a_scope_that_is_open_says_what_to_write_instead():
    with measure() as m:
        with pytest.raises(RuntimeError, match=r"open already.*write measure\(\.\.\.\) anew"):
            m.__enter__()
        assert current_scope() is m
    assert m.stats.allocations > 0


def test_entering_a_scope_that_was_used_says_what_to_write_instead():
    with measure() as m:
        pass
    with pytest.raises(RuntimeError, match=r"has been used.*write measure\(\.\.\.\) anew"):
        m.__enter__()
    assert m.stats == AllocationStats()
    assert current_scope() is None


@pytest.mark.anyio
async def test_entering_twice_asynchronously_is_refused_without_further_noise():
    async with measure() as m:
        with warnings.catch_warnings(record=True) as caught:
            with pytest.raises(RuntimeError, match="open already"):
                async with m:
                    pass
            assert caught == []


def test_leaving_without_entering_or_twice_changes_nothing():
    m = measure()
    m.__exit__(None, None, None)
    assert not m.is_closed
    with m:
        pass
    m.__exit__(ValueError, ValueError(), None)
    assert m.is_closed
    assert m.stats == AllocationStats()


def test_a_scope_knows_its_state():
    m = measure("name")
    assert (m.name, m.is_open, m.is_closed) == ("name", False, False)
    with m:
        assert (m.is_open, m.is_closed) == (True, False)
    assert (m.is_open, m.is_closed) == (False, True)
    assert repr(m) == "<measure 'name' closed>"
    with pytest.raises(AttributeError):
        m.name = "other"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_scope_cannot_be_copied(duplicate):
    with measure("name") as m, pytest.raises(TypeError, match="cannot pickle 'measure' object"):
        duplicate(m)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [((1,), {}), (("a", "b"), {}), ((), {"nam": "a"}), (("a",), {"name": "b"}), ((b"a",), {})],
)
def test_wrong_arguments_are_refused(arguments, keywords):
    with pytest.raises(TypeError, match="measure"):
        measure(*arguments, **keywords)


def test_a_registry_must_be_one():
    with pytest.raises(TypeError, match="registry must be a Registry or None, not dict"):
        measure("a", registry={})


@pytest.mark.parametrize("cls", ["measure", "detached"])
@pytest.mark.parametrize("method", ["__enter__", "__exit__"])
def test_methods_refuse_objects_of_other_types(cls, method):
    # In a process of its own, which to crash would be the wrong way to refuse.
    code = f"""
        from allocmeter import detached, measure
        for stranger in (object(), 5, "text", [], type):
            try:
                {cls}.{method}(stranger)
            except TypeError:
                print("refused")
    """
    assert output_of(code) == "refused\n" * 5


# A name that is found out while the scope is open, as the route of a request ---------------------


def test_a_scope_is_counted_by_the_name_it_has_in_the_end():
    registry = Registry()
    with registry.measure("GET") as m:
        m._rename("GET /articles/{number}")
        assert m.name == "GET /articles/{number}"
        kept = block(5_000)
    (row,) = registry.report().rows
    assert (row.name, row.count) == ("GET /articles/{number}", 1)
    assert row.retained_bytes >= len(kept)


def test_a_scope_that_loses_its_name_is_in_no_row():
    registry = Registry()
    with registry.measure("GET") as m:
        m._rename(None)
    assert m.name is None
    assert registry.report().rows == ()


def test_a_scope_may_get_its_name_before_it_is_entered():
    registry = Registry()
    m = registry.measure("GET")
    m._rename("other")
    with m:
        pass
    assert [row.name for row in registry.report().rows] == ["other"]


def test_a_closed_scope_keeps_its_name():
    registry = Registry()
    with registry.measure("GET") as m:
        pass
    with pytest.raises(RuntimeError, match="this scope is closed, and counted by its name"):
        m._rename("other")
    assert m.name == "GET"
    assert [row.name for row in registry.report().rows] == ["GET"]


@pytest.mark.parametrize("name", [b"GET", 5, ["GET"]])
def test_a_name_is_text_or_none(name):
    registry = Registry()
    with registry.measure("GET") as m, pytest.raises(TypeError, match="name must be a str or None"):
        m._rename(name)
    assert m.name == "GET"
    assert [row.name for row in registry.report().rows] == ["GET"]


# Subclasses -------------------------------------------------------------------------------------


class Logged(measure):
    """With a dict, and a constructor of its own."""

    def __init__(self, *args, **kwargs):
        self.log = [args, kwargs]


class Renamed(measure):
    __slots__ = ("given",)

    def __new__(cls, given):
        self = super().__new__(cls, f"renamed {given}")
        self.given = given
        return self

    def __enter__(self):
        super().__enter__()
        return self.given


class Decorator(measure, contextlib.ContextDecorator):
    pass


@pytest.mark.exact
@pytest.mark.parametrize("cls", [Logged, Renamed, Decorator])
def test_subclasses_measure_as_exactly(cls):
    m = cls("name")
    with m:
        kept = block(5_000)
    assert m.stats == one_block(len(kept))
    assert current_scope() is None


def test_subclasses_may_change_construction_and_entering():
    assert Logged("a").log == [("a",), {}]
    assert Renamed("a").name == "renamed a"
    with Renamed("a") as value:
        assert value == "a"
    decorated = Decorator("a")(lambda: current_scope().name)
    assert decorated() == "a"
    with pytest.raises(RuntimeError, match="anew"):
        decorated()


@pytest.mark.exact
def test_a_subclass_may_have_a_finalizer_that_reads_the_figures():
    read = []

    class Finalized(measure):
        def __del__(self):
            read.append(self.stats.allocations)

    with Finalized():
        kept = block(5_000)
    assert read == [1]
    del kept


# Recursion and tracing --------------------------------------------------------------------------


def test_running_out_of_stack_closes_every_scope_as_an_error(monkeypatch):
    unraisable = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    registry = Registry()

    def descend():
        with registry.measure("deep"):
            descend()

    with pytest.raises(RecursionError):
        descend()
    assert current_scope() is None
    row = registry.row("deep")
    assert row.count == row.errors > 100
    assert unraisable == []


def test_a_trace_function_does_not_break_a_scope():
    # In a process of its own: code that was traced once is instrumented anew later on.
    code = """
        import sys
        from allocmeter import measure

        def work():
            with measure("traced") as m:
                kept = b"x" * int("5000")
            return m.retained_bytes - sys.getsizeof(kept)

        sys.settrace(lambda frame, event, argument: lambda *event: None)
        assert 0 <= work() < 2_000
        sys.settrace(None)
        work()
        print(work())
    """
    assert output_of(code) == "0\n"
