"""Figures of scopes on the spans of OpenTelemetry, and the same metrics in forked workers."""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from allocmeter import Registry
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor
from children import output_of
from otel_collecting import instrumented


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def exported():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exported):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    yield provider.get_tracer(__name__)
    provider.shutdown()


def attributes_of(exported):
    return {span.name: dict(span.attributes) for span in exported.get_finished_spans()}


def figures(scope):
    return {
        "allocmeter.scope.name": scope.name,
        "allocmeter.scope.allocated": scope.stats.bytes_allocated,
        "allocmeter.scope.allocations": scope.stats.allocations,
        "allocmeter.scope.peak": scope.peak_bytes,
        "allocmeter.scope.retained": scope.stats.net_bytes,
    }


@pytest.mark.exact
@pytest.mark.anyio
async def test_a_scope_that_closes_in_a_span_leaves_its_figures_there(
    registry, tracer, exported, anyio_backend
):
    with instrumented(registry):
        with tracer.start_as_current_span("request"):
            async with registry.measure("GET /") as scope:
                kept = bytes(5000)
                await anyio.sleep(0)
                bytes(100_000)
        with tracer.start_as_current_span("empty"):
            pass
    assert scope.stats.bytes_allocated >= 105_000 > scope.stats.net_bytes >= len(kept)
    assert attributes_of(exported) == {"request": figures(scope), "empty": {}}


def test_the_outermost_scope_of_a_span_has_the_last_word(registry, tracer, exported):
    with (
        instrumented(registry),
        tracer.start_as_current_span("request"),
        registry.measure("GET /") as around,
        registry.measure("query"),
    ):
        bytes(100)
    assert attributes_of(exported)["request"] == figures(around)


def test_each_span_has_the_figures_of_its_own_scope(registry, tracer, exported):
    with (
        instrumented(registry),
        tracer.start_as_current_span("request"),
        registry.measure("GET /") as around,
        tracer.start_as_current_span("inner"),
        registry.measure("query") as query,
    ):
        bytes(100)
    assert attributes_of(exported) == {"request": figures(around), "inner": figures(query)}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_concurrent_requests_do_not_mix(registry, tracer, exported, anyio_backend):
    closed = {}

    async def request(number):
        with tracer.start_as_current_span(f"request {number}"):
            async with registry.measure(f"GET /{number}") as scope:
                for _ in range(5):
                    await anyio.sleep(0)
                    bytes(1000 * number)
            closed[f"request {number}"] = scope

    with instrumented(registry):
        async with anyio.create_task_group() as tasks:
            for number in range(1, 9):
                tasks.start_soon(request, number)
    assert attributes_of(exported) == {name: figures(scope) for name, scope in closed.items()}


def test_a_failed_scope_leaves_its_figures_too(registry, tracer, exported):
    with instrumented(registry), tracer.start_as_current_span("request"):
        with suppress(ValueError), registry.measure("GET /") as scope:
            raise ValueError
        # A span that records nothing, as of a request that was not sampled, is left alone.
        unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer(__name__)
        with unsampled.start_as_current_span("unsampled") as span, registry.measure("GET /"):
            assert not span.is_recording()
    assert attributes_of(exported) == {"request": figures(scope)}


def test_scopes_without_a_name_and_without_a_span_leave_nothing(registry, tracer, exported):
    from allocmeter import measure

    with instrumented(registry):
        with tracer.start_as_current_span("request"), measure():
            pass
        assert trace.get_current_span() is trace.INVALID_SPAN
        with registry.measure("GET /"):
            pass
    with tracer.start_as_current_span("afterwards"), registry.measure("GET /"):
        pass
    assert attributes_of(exported) == {"request": {}, "afterwards": {}}


@pytest.mark.exact
@pytest.mark.anyio
async def test_the_span_of_a_request_has_the_figures_of_the_request(
    registry, tracer, exported, anyio_backend
):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope["allocmeter"])
        scope["path_template"] = "/items/{id}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(5000)})

    measured = AllocationMiddleware(app, registry=registry)

    async def traced(scope, receive, send):
        with tracer.start_as_current_span("request"):
            await measured(scope, receive, send)

    async def ignore(message):
        pass

    with instrumented(registry):
        request = {"type": "http", "method": "GET", "path": "/items/3", "headers": []}
        await traced(request, ignore, ignore)
    (scope,) = scopes
    assert scope.stats.bytes_allocated > 5000
    assert scope.name == "GET /items/{id}"
    assert attributes_of(exported) == {"request": figures(scope)}


def test_spans_may_be_left_alone(registry, tracer, exported):
    with (
        instrumented(registry, spans=False) as collected,
        tracer.start_as_current_span("request"),
    ):
        with registry.measure("GET /"):
            pass
        assert collected.points()["scope.peak"]["GET /"].count == 1
    assert attributes_of(exported) == {"request": {}}


def test_exemplars_lead_to_the_trace(registry, tracer, exported):
    with instrumented(registry) as collected:
        with tracer.start_as_current_span("request"), registry.measure("GET /"):
            bytes(100_000)
        (exemplar,) = collected.points()["scope.peak"]["GET /"].exemplars
    (span,) = exported.get_finished_spans()
    assert exemplar.trace_id == span.context.trace_id
    assert exemplar.value >= 100_000


def test_the_entry_point_names_the_instrumentor():
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    group = tomllib.loads(text)["project"]["entry-points"]["opentelemetry_instrumentor"]
    entry = EntryPoint("allocmeter", group["allocmeter"], "opentelemetry_instrumentor")
    assert entry.load() is AllocmeterInstrumentor


FORKING = """
import json, os, sys
from allocmeter import Registry
from otel_collecting import Collected, instrumented

registry = Registry()

def finish(name, times):
    for _ in range(times):
        with registry.measure(name):
            bytes(5000)

def counts(collected):
    points = collected.points()
    return {
        "blocks": {name: point.value for name, point in points["memory.allocations"].items()},
        "scopes": {name: point.count for name, point in points["scope.peak"].items()},
    }

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            print(json.dumps(work()), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.exact
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_workers_that_are_instrumented_after_the_fork_add_up():
    *workers, total = map(
        json.loads,
        output_of(
            FORKING
            + """
def work(number):
    with instrumented(registry) as collected:
        finish("GET /", number)
        finish(f"only {number}", 1)
        return counts(collected)
for number in (1, 2, 3):
    in_child(lambda: work(number))
print(json.dumps(work(4)))
"""
        ).splitlines(),
    )
    for number, found in enumerate([*workers, total], 1):
        expected = {"GET /": number, f"only {number}": 1}
        assert found == {"blocks": expected, "scopes": expected}


@pytest.mark.exact
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_the_totals_of_a_child_begin_with_the_fork():
    child, parent = map(
        json.loads,
        output_of(
            FORKING
            + """
with instrumented(registry) as collected:
    finish("both", 3)
    finish("parent", 2)
    def work():
        finish("both", 10)
        finish("child", 1)
        return counts(collected)
    in_child(work)
    print(json.dumps(counts(collected)))
"""
        ).splitlines(),
    )
    assert child["blocks"] == {"both": 10, "parent": 0, "child": 1}
    # The SDK's own memory is inherited.
    assert child["scopes"] == {"both": 3 + 10, "parent": 2, "child": 1}
    assert parent == {"blocks": {"both": 3, "parent": 2}, "scopes": {"both": 3, "parent": 2}}
