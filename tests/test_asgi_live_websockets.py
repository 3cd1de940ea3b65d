"""The ASGI middleware in real servers: websocket connections, and how they end."""

from __future__ import annotations

import gc

import anyio
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect

from asgi_live import UVICORN, serving
from serving import outcome, until
from test_asgi_calls import measured

BLOCK = 50_000
MESSAGES = 25
CONNECTIONS = 200

pytestmark = pytest.mark.anyio


@pytest.fixture(params=UVICORN, ids=repr)
def live(request):
    return request.param


@pytest.fixture
def anyio_backend(live):
    return live.backend


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        kept = bytes(BLOCK)
        await websocket.send_text(text)
        del kept


async def closing(websocket):
    await websocket.accept()
    await websocket.send_text(f"{len(bytes(BLOCK))}")
    await websocket.close()


async def failing(websocket):
    await websocket.accept()
    await websocket.receive_text()
    raise ZeroDivisionError(len(bytes(BLOCK)))


def application(**options):
    routes = [WebSocketRoute(f"/{f.__name__}", f) for f in (echo, closing, failing)]
    return measured(Starlette(routes=routes), **options)


def at(port, path):
    return connect(f"ws://127.0.0.1:{port}{path}", compression=None)


async def count_of(registry, name, count):
    await until(lambda: name in registry and registry.row(name).count == count)
    gc.collect()
    return registry.row(name)


@pytest.mark.exact
async def test_each_message_costs_what_the_others_cost(live):
    app, registry = application(websocket_messages=True)
    async with serving(live, app) as port:
        async with at(port, "/echo") as client:
            for number in range(MESSAGES):
                await client.send(f"{number:4}")
                assert await client.recv() == f"{number:4}"
        connection = await count_of(registry, "WS /echo", 1)
    messages = registry.row("WS /echo (message)")
    assert outcome(registry, "WS /echo (message)") == (MESSAGES, 0, 0)
    assert messages.bytes_allocated.p50 == pytest.approx(messages.bytes_allocated.min, rel=0.025)
    assert BLOCK < messages.bytes_allocated.min < BLOCK + 10_000
    assert messages.bytes_allocated.sum <= connection.bytes_allocated.sum
    assert (connection.errors, connection.cancelled) == (0, 0)
    assert connection.retained_bytes < BLOCK


async def test_a_connection_that_is_cut_has_ended(live):
    app, registry = application(websocket_messages=True)
    async with serving(live, app) as port:
        for _ in range(10):
            async with at(port, "/echo") as client:
                await client.send("x")
                await client.recv()
                client.transport.abort()
        row = await count_of(registry, "WS /echo", 10)
    assert (row.errors, row.cancelled) == (0, 0)
    assert outcome(registry, "WS /echo (message)") == (10, 0, 0)
    assert row.retained_bytes < BLOCK


async def test_a_connection_may_be_closed_or_given_up_by_the_application(live):
    app, registry = application(websocket_messages=True)
    async with serving(live, app) as port:
        for path, text in (("/closing", None), ("/failing", "x")):
            async with at(port, path) as client:
                if text is not None:
                    await client.send(text)
                await client.wait_closed()
        await count_of(registry, "WS /closing", 1)
        row = await count_of(registry, "WS /failing", 1)
    assert outcome(registry, "WS /closing") == (1, 0, 0)
    assert (row.errors, row.cancelled) == (1, 0)
    assert outcome(registry, "WS /failing (message)") == (1, 1, 0)


async def test_a_connection_without_a_route_is_unmatched(live):
    app, registry = application()
    async with serving(live, app) as port:
        for number in range(20):
            with pytest.raises(Exception, match="403"):
                await at(port, f"/nowhere/{number}").__aenter__()
        row = await count_of(registry, "WS (unmatched)", 20)
    assert (row.errors, row.cancelled) == (0, 0)


@pytest.mark.exact
async def test_many_connections_at_once_have_a_scope_each(live):
    app, registry = application(websocket_messages=True)
    ready = anyio.Event()
    waiting = 0

    async def talk(number):
        nonlocal waiting
        async with at(port, "/echo") as client:
            waiting += 1
            if waiting == CONNECTIONS:
                ready.set()
            await ready.wait()
            for _ in range(number % 3):
                await client.send("x")
                assert await client.recv() == "x"

    async with serving(live, app) as port:
        async with anyio.create_task_group() as clients:
            for number in range(CONNECTIONS):
                clients.start_soon(talk, number)
        row = await count_of(registry, "WS /echo", CONNECTIONS)
    assert (row.errors, row.cancelled) == (0, 0)
    assert 2 * BLOCK < row.bytes_allocated.max < 2 * BLOCK + 100_000
    assert row.bytes_allocated.min < BLOCK
    expected = sum(number % 3 for number in range(CONNECTIONS))
    assert outcome(registry, "WS /echo (message)") == (expected, 0, 0)
