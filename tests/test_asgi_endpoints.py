"""The ASGI middleware and the kinds of endpoints and middleware of Starlette and FastAPI."""

from __future__ import annotations

import contextlib

import anyio
import pytest

pytest.importorskip("starlette")
pytest.importorskip("fastapi")

from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from allocmeter import Registry
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import GONE, NO_BODY, Server, http_scope, measured, request

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000


# Above and below other middleware


class Pausing(BaseHTTPMiddleware):
    """Runs what is below it in a task of its own."""

    async def dispatch(self, request, call_next):
        await anyio.sleep(0)
        bytes(MEGABYTE)
        return await call_next(request)


def charged(*, outside):
    registry = Registry()

    async def endpoint(request):
        bytes(2 * MEGABYTE)
        return PlainTextResponse("x")

    ours = Middleware(AllocationMiddleware, registry=registry)
    both = [ours, Middleware(Pausing)] if outside else [Middleware(Pausing), ours]
    return Starlette(routes=[Route("/items/{id}", endpoint)], middleware=both), registry


async def test_above_a_base_http_middleware_its_work_is_included(anyio_backend):
    app, registry = charged(outside=True)
    for _ in range(3):
        assert (await request(app, "/items/3")).status == 200
    row = registry.row("GET /items/{id}")
    assert (row.count, row.errors, row.cancelled) == (3, 0, 0)
    assert 3 * MEGABYTE < row.bytes_allocated.min < 4 * MEGABYTE


async def test_below_a_base_http_middleware_its_work_is_not_included(anyio_backend):
    app, registry = charged(outside=False)
    for _ in range(3):
        assert (await request(app, "/items/3")).status == 200
    row = registry.row("GET /items/{id}")
    assert (row.count, row.errors, row.cancelled) == (3, 0, 0)
    assert 2 * MEGABYTE < row.bytes_allocated.min < 3 * MEGABYTE


# Kinds of endpoints


async def row_of(endpoint, *, leaving=False):
    app = Starlette(routes=[Route("/x", endpoint)])
    wrapped, registry = measured(app)
    server = Server(NO_BODY, *([GONE] if leaving else []))
    with contextlib.suppress(ZeroDivisionError):
        await wrapped(http_scope("/x"), server.receive, server.send)
    return registry.row("GET /x")


async def test_sync_endpoints_in_worker_threads_are_measured(anyio_backend):
    def endpoint(request):
        bytes(MEGABYTE)
        return PlainTextResponse("x")

    assert (await row_of(endpoint)).bytes_allocated.max > MEGABYTE


async def test_a_background_task_is_late_work_of_its_route(anyio_backend):
    async def endpoint(request):
        return PlainTextResponse("x", background=BackgroundTask(bytes, MEGABYTE))

    row = await row_of(endpoint)
    assert row.bytes_allocated.max < MEGABYTE < row.late_bytes_allocated


async def test_a_streaming_response_is_measured_to_its_end(anyio_backend):
    async def chunks():
        for _ in range(5):
            yield bytes(MEGABYTE)
            await anyio.sleep(0)

    async def endpoint(request):
        return StreamingResponse(chunks())

    assert (await row_of(endpoint)).bytes_allocated.max > 5 * MEGABYTE


async def test_a_stream_whose_client_goes_away_counts_as_cancelled(anyio_backend):
    async def chunks():
        yield b"x"
        await anyio.sleep_forever()

    async def endpoint(request):
        return StreamingResponse(chunks())

    row = await row_of(endpoint, leaving=True)
    assert (row.count, row.errors, row.cancelled) == (1, 0, 1)


async def test_an_endpoint_that_raises_counts_as_an_error_once(anyio_backend):
    async def endpoint(request):
        raise ZeroDivisionError

    row = await row_of(endpoint)
    assert (row.count, row.errors, row.cancelled) == (1, 1, 0)


async def test_a_dependency_with_yield_belongs_to_the_request(anyio_backend):
    async def resource():
        yield bytes(MEGABYTE)
        bytes(2 * MEGABYTE)

    app = FastAPI()

    @app.get("/x")
    async def endpoint(made=Depends(resource)):  # noqa: B008
        return len(made)

    wrapped, registry = measured(app)
    await request(wrapped, "/x")
    row = registry.row("GET /x")
    assert row.bytes_allocated.max + row.late_bytes_allocated > 3 * MEGABYTE


async def test_the_scope_can_be_read_by_the_endpoint(anyio_backend):
    async def endpoint(request):
        before = request.scope["allocmeter"].stats.bytes_allocated
        bytes(MEGABYTE)
        after = request.scope["allocmeter"].stats.bytes_allocated
        assert after - before > MEGABYTE
        return PlainTextResponse("x")

    assert (await row_of(endpoint)).errors == 0


async def test_the_scope_of_the_server_is_otherwise_as_without_us(anyio_backend):
    seen = []

    async def endpoint(request):
        seen.append(dict(request.scope))
        return PlainTextResponse("x")

    await row_of(endpoint)
    assert seen[0].keys() - http_scope() >= {"allocmeter"}
    assert {key: seen[0][key] for key in ("path", "method", "headers")} == {
        key: http_scope("/x")[key] for key in ("path", "method", "headers")
    }
