"""What the core cannot do or know: an error that says so, never a wrong figure."""

from __future__ import annotations

import logging
import pickle
from types import SimpleNamespace

import pytest

from allocmeter import (
    AllocationStats,
    BackendUnavailableError,
    HookError,
    LeakError,
    Registry,
    backend,
    backend_info,
    install,
    measure,
    uninstall,
)
from allocmeter._core import collector, figures, preload, types
from allocmeter.process import process_memory
from standins import giving

INCOMPLETE, NOT_MEASURED = 2, 3


@pytest.fixture
def native(monkeypatch):
    """Have functions of the library answer something else."""

    def answer(**answers):
        genuine = types.native()
        stand_ins = {name: giving(value) for name, value in answers.items()}

        class Library:
            def __getattr__(self, name):
                return stand_ins.get(name) or getattr(genuine, name)

        monkeypatch.setattr(types, "native", Library)

    return answer


# The hooks


def test_an_unknown_backend_is_refused():
    with pytest.raises(BackendUnavailableError, match="unknown backend 'magic'.*'native'"):
        install("magic")


def test_hooks_over_too_many_allocators_are_refused(native):
    native(am_install=-1)
    with pytest.raises(HookError, match="over too many different allocators"):
        install()


def test_the_first_installation_has_finalizers_told_apart(native):
    native(am_install=1)
    collector.unwatch()
    install()
    assert collector.is_watching()


def test_hooks_are_not_taken_away_from_open_scopes():
    others = backend_info().open_scopes  # what earlier tests have abandoned
    with measure(), pytest.raises(HookError, match=rf"{others + 1} scope\(s\) are open"):
        uninstall()
    assert backend_info().hook_position == "on top"


def test_hooks_below_those_of_another_tool_stay(native):
    native(am_uninstall=-1)
    with pytest.raises(HookError, match="removing the hook below it would break it"):
        uninstall()


def test_without_hooks_no_collection_is_watched(native):
    install()
    native(am_uninstall=0)
    uninstall()
    try:
        assert not backend_info().finalizers_apart
    finally:
        collector.watch()


def test_hooks_that_another_tool_has_removed_are_told(native):
    native(am_position=3)
    info = backend_info()
    assert info.hook_position == "removed"
    assert "the next scope installs them again" in info.domains["python"]
    assert not backend.is_installed()


def test_lost_hooks_are_logged_once(caplog):
    backend.report_lost_hooks.cache_clear()
    with caplog.at_level(logging.WARNING, "allocmeter"):
        backend.report_lost_hooks()
        backend.report_lost_hooks()
    (record,) = caplog.records
    assert "another tool removed the allocator hooks" in record.getMessage()


# The collector


def test_a_collection_that_the_core_does_not_understand_is_not_watched(native):
    collector.unwatch()
    native(am_collector_check=0)
    collector.watch()
    assert not collector.is_watching()
    native(am_collector_check=1)
    collector.watch()
    assert collector.is_watching()
    collector.watch()  # once more changes nothing
    assert collector.is_watching()


def test_a_collection_is_watched_from_the_first_time_on(monkeypatch):
    collector.unwatch()
    monkeypatch.setattr(collector, "_first", None)
    monkeypatch.setattr(collector, "_last", None)
    assert not collector.is_watching()
    collector.watch()
    assert collector.is_watching()


# Scopes


@pytest.mark.parametrize(("name", "shown"), [(None, "measure()"), ("work", "measure('work')")])
def test_figures_that_cannot_be_known_are_refused(native, name, shown):
    with measure(name) as scope:
        pass
    native(am_scope_read=INCOMPLETE)
    with pytest.raises(BackendUnavailableError, match="were removed, by uninstall") as refused:
        _ = scope.stats
    assert str(refused.value).startswith(f"the figures of {shown} are incomplete")
    native(am_scope_read=NOT_MEASURED)
    with pytest.raises(BackendUnavailableError, match="too many scopes were open") as refused:
        _ = scope.peak_bytes
    assert str(refused.value).startswith(f"{shown} was not measured")


def test_a_scope_that_was_not_entered_has_no_figures():
    with pytest.raises(RuntimeError, match="has not been entered, so it has no figures yet"):
        _ = measure("work").stats


def test_a_domain_that_is_not_seen_has_no_figures():
    with measure() as scope:
        kept = bytes(1000)
    found = scope.by_domain()
    assert found == {"python": scope.stats, "native": None}
    assert scope.stats.bytes_allocated >= len(kept)


def test_domains_add_up_to_the_whole(native, monkeypatch):
    with measure() as scope:
        kept = [bytes(1000)]
    monkeypatch.setattr(preload, "is_seen", giving(True))
    # The stand-in leaves the figures of the whole where the native ones would be.
    native(am_scope_read_native=0)
    assert scope.by_domain() == {"python": AllocationStats(), "native": scope.stats}
    assert kept


def test_what_happens_after_a_scope_is_apart():
    with measure() as scope:
        kept = bytes(100_000)
    assert scope.late_stats.deallocations == 0
    del kept
    assert scope.late_stats.bytes_deallocated >= 100_000


def test_a_high_water_mark_is_of_what_is_alive(native):
    with measure() as scope:
        mark = figures.HighWaterMark(scope)
        kept = [bytes(100_000)]
        assert mark.live_bytes >= 100_000
        assert 1 <= mark.live_allocations <= mark.peak_allocations
        kept.clear()
        assert mark.live_bytes < 100_000 <= mark.peak_bytes
        mark.reset()
        assert mark.peak_bytes < 100_000
    native(am_mark_read=INCOMPLETE)
    with pytest.raises(BackendUnavailableError, match="this high-water mark is incomplete"):
        _ = mark.live_bytes


# The process


def test_figures_of_the_process_that_cannot_be_known_are_refused(native):
    native(am_node_read=INCOMPLETE)
    with pytest.raises(BackendUnavailableError, match=r"call\s+start_tracking\(\) again"):
        figures.read_process()


def test_the_native_part_of_the_process_is_apart_where_it_is_seen(native, monkeypatch):
    assert figures.read_process_native() is None
    monkeypatch.setattr(preload, "is_seen", giving(True))
    native(am_node_read_native=0)
    assert figures.read_process_native() is not None


def test_live_bytes_of_python_that_cannot_be_known_are_none(native):
    native(am_is_tracking=1, am_node_read=INCOMPLETE)
    assert process_memory().python_live_bytes is None


def test_live_bytes_of_python_leave_native_memory_out(monkeypatch):
    from allocmeter import tracking

    whole = SimpleNamespace(bytes_allocated=1_000, bytes_deallocated=100)
    part = SimpleNamespace(bytes_allocated=300, bytes_deallocated=50)
    monkeypatch.setattr(tracking, "is_tracking", giving(True))
    monkeypatch.setattr(figures, "read_process", giving(whole))
    monkeypatch.setattr(figures, "read_process_native", giving(part))
    assert process_memory().python_live_bytes == 900 - 250
    monkeypatch.setattr(figures, "read_process_native", giving(None))
    assert process_memory().python_live_bytes == 900


# Registries and errors


def test_a_name_without_finished_scopes_is_told_with_those_there_are():
    registry = Registry()
    with registry.measure("work"):
        pass
    with pytest.raises(KeyError, match=r"no scope named 'play' has finished.*\['work'\]"):
        registry.row("play")


def test_a_leak_survives_the_way_between_processes():
    error = LeakError("it leaks", allocations=3, bytes=4_000, name="work")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.allocations, copy.bytes, copy.name) == ("it leaks", 3, 4_000, "work")
