"""How OpenTelemetry learns of scopes that close, and what that does not cost."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import suppress

import pytest

from allocmeter import Registry, measure, measured
from allocmeter.integrations import _otel_closing
from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor
from otel_collecting import PATCHED, instrumented


@pytest.fixture
def registry():
    return Registry()


@pytest.mark.exact
@pytest.mark.anyio
async def test_every_way_to_close_a_scope_is_seen_once(registry, anyio_backend):
    @measured("coroutine", registry=registry)
    async def coroutine():
        pass

    @measured("plain", registry=registry)
    def plain():
        pass

    @measured("generator", registry=registry)
    def generator():
        yield 1
        yield 2

    @measured("async generator", registry=registry)
    async def async_generator():
        yield 1

    with instrumented(registry) as collected:
        async with registry.measure("async with"):
            pass
        with registry.measure("with"):
            pass
        await coroutine()
        plain()
        list(generator())
        with suppress(KeyError):
            abandoned = generator()
            next(abandoned)
            abandoned.throw(KeyError)
        async for _ in async_generator():
            pass
        by_steps = registry.measure("steps")
        by_steps._open()
        by_steps._close(None)
        by_steps._close(None)
        del abandoned
        counts = {name: point.count for name, point in collected.points()["scope.peak"].items()}
    assert counts == {row.name: row.count for row in registry.report().rows}
    assert counts == {
        "async with": 1,
        "with": 1,
        "coroutine": 1,
        "plain": 1,
        "generator": 2,
        "async generator": 1,
        "steps": 1,
    }


@pytest.mark.exact
@pytest.mark.anyio
async def test_nothing_of_it_is_charged_to_any_scope(registry, anyio_backend):
    with instrumented(registry) as collected:
        for _ in range(3):
            with registry.measure("around") as around, registry.measure("sync") as sync:
                pass
            async with registry.measure("async") as asynchronous:
                pass
        assert collected.points()
    assert around.stats == sync.stats == asynchronous.stats
    assert around.stats.allocations == around.stats.deallocations == 0


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_scopes_that_are_open_meanwhile_are_unharmed(registry, anyio_backend):
    async def one(number):
        async with registry.measure("work"):
            await asyncio.sleep(0)
            if number % 3 == 0:
                raise ValueError

    with instrumented(registry):
        await asyncio.gather(*map(one, range(9)), return_exceptions=True)
        around = registry.measure("around")
        around.__enter__()
    around.__exit__(None, None, None)
    assert (registry.row("work").count, registry.row("work").errors) == (9, 3)
    assert registry.row("around").count == 1


def test_a_failure_is_logged_once_and_ends_the_export(registry, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError

    with instrumented(registry):
        monkeypatch.setattr(AllocmeterInstrumentor()._instruments, "_record", fail)
        with caplog.at_level(logging.ERROR, "allocmeter"):
            for _ in range(3):
                with registry.measure("work"):
                    pass
        assert not set(PATCHED) & set(vars(measure))
    (record,) = caplog.records
    assert record.exc_info[0] is ZeroDivisionError
    assert registry.row("work").count == 3


def test_what_a_finalizer_closes_is_recorded_after_the_collection(registry, monkeypatch):
    with instrumented(registry) as collected:
        monkeypatch.setattr(_otel_closing, "_is_collecting", True)
        with registry.measure("in a finalizer"):
            pass
        instruments = AllocmeterInstrumentor()._instruments
        assert len(instruments._deferred) == 1
        monkeypatch.setattr(_otel_closing, "_is_collecting", False)
        assert collected.points()["scope.peak"]["in a finalizer"].count == 1
        assert not instruments._deferred


def test_the_collector_is_noticed(registry):
    seen = []

    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            seen.append(_otel_closing.is_collecting())

    with instrumented(registry):
        Cycle()
        gc.collect()
        seen.append(_otel_closing.is_collecting())
    assert seen == [True, False]
