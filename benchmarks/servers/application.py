"""The Starlette application that the benchmarks serve."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp
    from starlette.websockets import WebSocket

# The variable that says what measures: "nothing", "tracemalloc", "hooks" (those of allocmeter, but
# no scope), "allocmeter", or "records", which is allocmeter with the figures of every request
# written down.
MEASURED_BY = "ALLOCMETER_BENCHMARK_MEASURED_BY"


async def small(_request: Request) -> Response:
    return JSONResponse({"hello": "world"})


async def objects(_request: Request) -> Response:
    return JSONResponse([{"number": number, "text": f"row {number}"} for number in range(200)])


async def item(_request: Request) -> Response:
    await anyio.sleep(0.001)
    kept = bytes(20_000)
    await anyio.sleep(0.001)
    return PlainTextResponse(f"{len(kept)}")


def in_thread(_request: Request) -> Response:
    return PlainTextResponse(f"{len(bytes(50_000))}")


async def stream(_request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(10_000)
            await anyio.lowlevel.checkpoint()

    return StreamingResponse(chunks())


async def body(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())}")


async def background(_request: Request) -> Response:
    return PlainTextResponse("x", background=BackgroundTask(bytes, 100_000))


async def holding(_request: Request) -> Response:
    """Hold many dicts across an await, for the neighbours to see."""
    rows = [{"number": number} for number in range(200)]
    await anyio.sleep(0.001)
    return PlainTextResponse(f"{len(rows)}")


@asynccontextmanager
async def connected() -> AsyncIterator[bytearray]:
    """Stand for a dependency that is set up and torn down around each request."""
    connection = bytearray(30_000)
    await anyio.lowlevel.checkpoint()
    try:
        yield connection
    finally:
        await anyio.lowlevel.checkpoint()


async def resource(_request: Request) -> Response:
    async with connected() as connection:
        return PlainTextResponse(f"{len(connection)}")


async def failing(_request: Request) -> Response:
    raise LookupError("on purpose")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


ROUTES = [
    Route("/small", small),
    Route("/objects", objects),
    Mount("/shop/{tenant}", routes=[Route("/items/{id}", item)]),
    Route("/thread", in_thread),
    Route("/stream", stream),
    Route("/body", body, methods=["POST"]),
    Route("/background", background),
    Route("/holding", holding),
    Route("/resource", resource),
    Route("/failing", failing),
    WebSocketRoute("/echo", echo),
]


def measured(by: str) -> ASGIApp:
    """Return the application as it is, or around it what measures."""
    application: ASGIApp = Starlette(routes=ROUTES)
    if by == "nothing":
        return application
    if by == "tracemalloc":
        import tracemalloc

        tracemalloc.start(1)
        return application
    if by == "hooks":
        import allocmeter

        allocmeter.install()
        return application
    from allocmeter.integrations.asgi import AllocationMiddleware

    application = AllocationMiddleware(application)
    if by == "allocmeter":
        return application
    if by == "records":
        from benchmarks.servers.records import Recording

        return Recording(application)
    raise ValueError(f"{MEASURED_BY} is {by!r}")
