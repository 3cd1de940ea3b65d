"""The parts that exports of metrics and integrations are made of, each by itself."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace

import prometheus_client
import pytest

from allocmeter import Registry, measure
from allocmeter.integrations import _forks, _otel_closing, _prometheus_client, opentelemetry
from allocmeter.integrations._exported_series import _fastest
from allocmeter.integrations._updater import Updater
from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor
from allocmeter.reports import RetainedGrowth
from otel_collecting import instrumented
from standins import UNAVAILABLE, giving, raising


@pytest.fixture
def registry():
    return Registry()


# Series


def test_of_two_growths_the_faster_one_is_shown():
    slow, fast = RetainedGrowth(1, 0, 2, 1), RetainedGrowth(5, 4, 6, 5)
    assert _fastest(slow, fast) is _fastest(fast, slow) is fast
    assert _fastest(slow, None) is _fastest(None, slow) is slow
    assert _fastest(None, None) is None


# Updates


def test_an_update_that_fails_was_the_last(caplog):
    tries = []

    def fail():
        tries.append(1)
        raise OSError("no room")

    updater = Updater(fail, 3600)
    updater.update()
    updater.update()
    updater.stop()  # it has not begun
    assert tries == [1]
    (record,) = caplog.records
    assert record.exc_info[0] is OSError
    assert "cannot be brought up to date" in record.getMessage()


def test_updates_begin_and_end_and_begin_anew_in_a_child():
    import threading

    done = threading.Event()
    updater = Updater(done.set, 0.001)
    updater._restart()
    assert updater._thread is None, "it had not begun"
    updater.start()
    assert done.wait(60)
    first = updater._thread
    done.clear()
    updater.stop()
    assert not first.is_alive()
    updater.start()
    second, stopping = updater._thread, updater._stopping
    updater._restart()  # as in a child, where the thread is no more
    assert updater._thread is not second
    stopping.set()
    updater.stop()


# Forks


class Restarting:
    def __init__(self, error=None):
        self.restarts, self._error = 0, error

    def restart(self):
        self.restarts += 1
        if self._error is not None:
            raise self._error


@pytest.fixture
def restarts(monkeypatch):
    """The methods that are called in children, none of which is called by a fork of the tests."""
    monkeypatch.setattr(_forks, "_restarts", [])


def test_a_child_begins_anew_wherever_that_is_possible(restarts, caplog):
    whole, broken, gone = Restarting(), Restarting(OSError("out of order")), Restarting()
    for each in (broken, gone, whole):
        _forks.restart_in_children(each.restart)
    del gone, each
    gc.collect()
    _forks.no_fork.acquire()  # as before a fork
    _forks._restart_all()
    assert (broken.restarts, whole.restarts) == (1, 1)
    (record,) = caplog.records
    assert "could not begin anew" in record.getMessage()
    assert record.exc_info[0] is OSError


def test_objects_that_are_gone_are_forgotten(restarts):
    kept = Restarting()
    _forks.restart_in_children(Restarting().restart)
    _forks.restart_in_children(kept.restart)
    assert len(_forks._restarts) == 1


def test_a_system_that_does_not_fork_needs_no_handler(restarts, monkeypatch):
    monkeypatch.setattr(_forks, "_is_registered", False)
    monkeypatch.setattr(_forks, "os", SimpleNamespace())
    kept = Restarting()
    _forks.restart_in_children(kept.restart)
    assert not _forks._is_registered
    registered = []
    monkeypatch.setattr(
        _forks, "os", SimpleNamespace(register_at_fork=lambda **when: registered.append(when))
    )
    _forks.restart_in_children(kept.restart)
    _forks.restart_in_children(kept.restart)
    assert [set(when) for when in registered] == [{"before", "after_in_parent", "after_in_child"}]


# The client library of Prometheus


def test_a_missing_client_is_told_with_what_to_install(monkeypatch):
    assert _prometheus_client.client() is prometheus_client
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ImportError, match=r"pip install 'allocmeter\[prometheus\]'"):
        _prometheus_client.client()


def test_either_variable_asks_for_shared_files(monkeypatch):
    names = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert not _prometheus_client.is_multiprocess()
    for name in names:
        monkeypatch.setenv(name, "/shared")
        assert _prometheus_client.is_multiprocess()
        monkeypatch.delenv(name)


def test_a_client_that_shares_no_files_is_refused(monkeypatch):
    from prometheus_client import values

    for shares in (True, False):
        monkeypatch.setattr(values, "ValueClass", SimpleNamespace(_multiprocess=shares))
        if shares:
            _prometheus_client.check_multiprocess()
        else:
            with pytest.raises(RuntimeError, match="set it before"):
                _prometheus_client.check_multiprocess()


# OpenTelemetry


def test_missing_packages_are_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.instrumentor", None)
    with pytest.raises(ImportError, match=r"pip install 'allocmeter\[opentelemetry\]'"):
        _ = opentelemetry.AllocmeterInstrumentor
    with pytest.raises(AttributeError, match="has no attribute 'Other'"):
        _ = opentelemetry.Other


@pytest.mark.anyio
async def test_whatever_closes_a_named_scope_is_recorded_once(registry, anyio_backend):
    with instrumented(registry) as collected:
        with registry.measure("work"):
            pass
        async with registry.measure("work"):
            pass
        registry.measure("work")._rename("never opened")
        scope = registry.measure("work")
        scope._open()
        scope._close(None)
        scope._close(None)
        with measure(registry=registry), measure("elsewhere", registry=Registry()):
            pass
        recorded = {name: point.count for name, point in collected.points()["scope.peak"].items()}
    assert recorded == {"work": 3}


def test_scopes_that_a_collection_closed_are_recorded_with_the_next(registry, monkeypatch):
    with instrumented(registry) as collected:
        monkeypatch.setattr(_otel_closing, "_is_collecting", True)
        with registry.measure("in a finalizer"):
            pass
        monkeypatch.setattr(_otel_closing, "_is_collecting", False)
        with registry.measure("work"):
            pass
        instruments = AllocmeterInstrumentor()._instruments
        assert not instruments._deferred

        class Taken:
            """What another thread empties between a look and a grasp."""

            __bool__ = giving(True)
            popleft = raising(IndexError())

        monkeypatch.setattr(instruments, "_deferred", Taken())
        instruments._record_deferred()
        monkeypatch.undo()
        counts = {name: point.count for name, point in collected.points()["scope.peak"].items()}
    assert counts == {"in a finalizer": 1, "work": 1}


def test_a_scope_without_figures_is_not_recorded(registry, monkeypatch):
    from allocmeter.integrations import _otel_instruments

    with instrumented(registry) as collected:
        monkeypatch.setattr(_otel_instruments, "read_scope", raising(UNAVAILABLE))
        with registry.measure("work"):
            pass
        assert "scope.peak" not in collected.points()


def test_nobody_is_told_after_the_end(registry, caplog):
    with instrumented(registry):
        told = vars(measure)["__exit__"]
    scope = registry.measure("work")
    scope.__enter__()
    told.__get__(scope, measure)(None, None, None)  # who had it bound before goes on with it
    assert told.__get__(None, measure) is told._function
    assert not scope.is_open
    assert caplog.records == []
