"""The ASGI middleware around FastAPI in real servers: dependencies, bodies, streams."""

from __future__ import annotations

import gc
from typing import Annotated

import anyio
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from asgi_live import UVICORN, connected, head_of, serving
from serving import outcome, until
from test_asgi_calls import measured

BLOCK = 100_000
CHUNKS = 5

pytestmark = pytest.mark.anyio


@pytest.fixture(params=UVICORN, ids=repr)
def live(request):
    return request.param


@pytest.fixture
def anyio_backend(live):
    return live.backend


class Order(BaseModel):
    text: str


async def session():
    kept = bytes(BLOCK)
    yield len(kept)
    await anyio.sleep(0)
    kept = bytes(2 * BLOCK)


def sync_session():
    kept = bytes(BLOCK)
    yield len(kept)
    kept = bytes(2 * BLOCK)


def application():
    app = FastAPI()

    @app.get("/session")
    async def use(size: Annotated[int, Depends(session)]) -> int:
        return size

    @app.get("/sync-session")
    def use_sync(size: Annotated[int, Depends(sync_session)]) -> int:
        return size

    @app.get("/broken-session")
    async def use_badly(size: Annotated[int, Depends(session)]) -> int:
        raise ZeroDivisionError(size)

    @app.post("/orders")
    async def order(order: Order) -> int:
        return len(order.text)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks():
            for _ in range(CHUNKS):
                yield bytes(1_000)
                await anyio.sleep(0)

        return StreamingResponse(chunks())

    return app


@pytest.mark.exact
@pytest.mark.parametrize("path", ["/session", "/sync-session"])
async def test_both_halves_of_a_dependency_belong_to_the_route(live, path):
    app, registry = measured(application())
    async with serving(live, app) as port, connected(port) as client:
        for _ in range(20):
            assert await client.ask(path) == (200, 6)
    row = registry.row(f"GET {path}")
    assert (row.count, row.errors, row.cancelled) == (20, 0, 0)
    # Whether the second half runs before or after the response is up to FastAPI.
    both = row.bytes_allocated.sum + row.late_bytes_allocated
    assert 20 * 3 * BLOCK < both < 20 * 4 * BLOCK
    gc.collect()
    assert registry.row(f"GET {path}").retained_bytes < BLOCK


async def test_a_dependency_of_a_handler_that_raises_is_ended_in_the_route(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for _ in range(5):
            async with connected(port) as client:
                await client.send(head_of("/broken-session"))
                assert (await client.head())[0] == 500
        await until(lambda: registry.row("GET /broken-session").count == 5)
    assert outcome(registry, "GET /broken-session") == (5, 5, 0)
    assert registry.row("GET /broken-session").bytes_allocated.min > BLOCK


async def test_half_a_body_is_a_cancellation_though_it_is_answered(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for _ in range(10):
            async with connected(port) as client:
                await client.send(head_of("/orders", "POST", 1_000) + b'{"text": "')
                await anyio.sleep(0.01)
        await until(lambda: "POST /orders" in registry)
        async with connected(port) as client:
            assert (await client.ask("/orders", "POST", b'{"text": 5}'))[0] == 422
    row = registry.row("POST /orders")
    assert (row.errors, row.cancelled) == (0, row.count - 1)


@pytest.mark.exact
async def test_streams_leave_nothing_behind_however_many_there_are(live):
    app, registry = measured(application())
    retained = []
    async with serving(live, app) as port, connected(port) as client:
        for batches in (6, 24):
            for _ in range(batches):
                await client.send(head_of("/stream") * 50)
                answers = {await client.answer() for _ in range(50)}
                assert answers == {(200, CHUNKS * 1_000)}
            gc.collect()
            retained.append(registry.row("GET /stream").retained_bytes)
    assert outcome(registry, "GET /stream") == (1_500, 0, 0)
    # What the first requests left in caches comes and goes by a few tables, whatever their number.
    assert abs(retained[1] - retained[0]) < 1_200 * 5, retained
