"""An application for real servers to serve, and what its routes cost without any."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from allocmeter import report
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import request

REPORTS = "ALLOCMETER_TEST_REPORTS"  # the directory that each process writes its report to


async def small(request):
    return JSONResponse({"hello": "world"})


async def objects(request):
    rows = [{"number": number, "text": f"row {number}"} for number in range(200)]
    return JSONResponse(rows)


async def item(request):
    await anyio.sleep(0.001)
    kept = bytes(20_000)
    await anyio.sleep(0.001)
    return PlainTextResponse(f"{len(kept)}")


def in_thread(request):
    return PlainTextResponse(f"{len(bytes(50_000))}")


async def stream(request):
    async def chunks():
        for _ in range(5):
            yield bytes(10_000)
            await anyio.sleep(0)

    return StreamingResponse(chunks())


async def body(request):
    return PlainTextResponse(f"{len(await request.body())}")


async def background(request):
    return PlainTextResponse("x", background=BackgroundTask(bytes, 100_000))


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@asynccontextmanager
async def reporting(app):
    yield
    if REPORTS in os.environ:
        Path(os.environ[REPORTS], f"{os.getpid()}.json").write_text(
            report().to_json(), encoding="utf-8"
        )


ROUTES = [
    Route("/small", small),
    Route("/objects", objects),
    Mount("/shop/{tenant}", routes=[Route("/items/{id}", item)]),
    Route("/thread", in_thread),
    Route("/stream", stream),
    Route("/body", body, methods=["POST"]),
    Route("/background", background),
    WebSocketRoute("/echo", echo),
]
app = Starlette(routes=ROUTES, lifespan=reporting, middleware=[Middleware(AllocationMiddleware)])

# Method, path, and the name of the route.
REQUESTS = [
    ("GET", "/small", "GET /small"),
    ("GET", "/objects", "GET /objects"),
    ("GET", "/shop/acme/items/7", "GET /shop/{tenant}/items/{id}"),
    ("GET", "/thread", "GET /thread"),
    ("GET", "/stream", "GET /stream"),
    ("POST", "/body", "POST /body"),
    ("GET", "/background", "GET /background"),
    ("GET", "/nowhere", "GET (unmatched)"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "name"), REQUESTS)
async def test_every_route_has_a_row(anyio_backend, method, path, name):
    before = counts().get(name, 0)
    answer = await request(app, path, method)
    assert answer.status == (404 if path == "/nowhere" else 200)
    assert counts()[name] == before + 1


def counts():
    return {row.name: row.count for row in report().rows}
