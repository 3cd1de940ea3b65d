"""The ASGI middleware in real servers: clients that misbehave, and handlers that fail."""

from __future__ import annotations

import gc
import threading

import anyio
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asgi_live import SERVERS, UVICORN, connected, head_of, serving
from serving import outcome, until
from test_asgi_calls import measured

BLOCK = 100_000
CHUNK = 50_000

pytestmark = pytest.mark.anyio


@pytest.fixture(params=SERVERS, ids=repr)
def live(request):
    return request.param


@pytest.fixture
def anyio_backend(live):
    return live.backend


async def plain(request):
    return PlainTextResponse(f"{len(bytes(BLOCK))}")


async def upload(request):
    kept = bytes(BLOCK)
    body = await request.body()
    return PlainTextResponse(f"{len(body) + len(kept)}")


async def endless(request):
    async def chunks():
        kept = bytes(BLOCK)
        while kept:
            yield bytes(CHUNK)
            await anyio.sleep(0)

    return StreamingResponse(chunks())


async def in_time(request):
    with anyio.move_on_after(0.01) as scope:
        kept = bytes(BLOCK)
        await anyio.sleep_forever()
    del kept
    return PlainTextResponse("late", status_code=504 if scope.cancelled_caught else 200)


async def too_late(request):
    kept = bytes(BLOCK)
    with anyio.fail_after(0.01):
        await anyio.sleep_forever()
    return PlainTextResponse(f"{len(kept)}")


async def broken(request):
    kept = bytes(BLOCK)
    raise ZeroDivisionError(len(kept))


async def broken_stream(request):
    async def chunks():
        yield bytes(CHUNK)
        raise ZeroDivisionError

    return StreamingResponse(chunks())


class Together:
    """A sync endpoint whose calls wait for each other, each in its thread of the pool."""

    def __init__(self, parties):
        self.barrier = threading.Barrier(parties)
        self.threads = set()

    def __call__(self, request):
        kept = bytes(BLOCK)
        self.threads.add(threading.get_ident())
        self.barrier.wait(30)
        return PlainTextResponse(f"{len(kept)}")


def application(*more):
    return Starlette(
        routes=[
            Route("/plain", plain, methods=["GET", "POST"]),
            Route("/upload", upload, methods=["POST"]),
            Route("/endless", endless),
            Route("/in-time", in_time),
            Route("/too-late", too_late),
            Route("/broken", broken),
            Route("/broken-stream", broken_stream),
            *more,
        ]
    )


def settled(registry, name):
    """Return the row of a route after a garbage collection."""
    gc.collect()
    return registry.row(name)


def routes(registry):
    return {name for name in registry if not name.startswith("lifespan")}


def was_right(row, most=BLOCK):
    """Whether every request made its block, and no more than `most` is left of them all."""
    assert row.bytes_allocated.min > BLOCK
    assert row.peak_bytes.min > BLOCK
    assert row.retained_bytes < most
    return True


CLIENTS = 20


async def test_a_client_that_goes_away_in_the_middle_of_an_upload_is_a_cancellation(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for _ in range(CLIENTS):
            async with connected(port) as client:
                await client.send(head_of("/upload", "POST", 1_000_000) + bytes(10_000))
                await anyio.sleep(0.002)
        await until(lambda: "POST /upload" in registry)
        async with connected(port) as client:
            assert await client.ask("/upload", "POST", bytes(5_000)) == (200, 6)
        await until(lambda: registry.row("POST /upload").count >= 2)
    row = settled(registry, "POST /upload")
    assert (row.errors, row.cancelled) == (0, row.count - 1)
    assert was_right(row)


async def test_a_client_that_goes_away_in_the_middle_of_a_download_is_a_cancellation(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for _ in range(CLIENTS):
            async with connected(port) as client:
                await client.send(head_of("/endless"))
                assert (await client.head())[0] == 200
        await until(lambda: "GET /endless" in registry)
        await until(lambda: registry.row("GET /endless").count == CLIENTS)
    row = settled(registry, "GET /endless")
    assert (row.errors, row.cancelled) == (0, CLIENTS)
    assert was_right(row)


async def test_timeouts_of_handlers_are_what_they_answer(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for path, status in (("/in-time", 504), ("/too-late", 500)):
            for _ in range(3):
                async with connected(port) as client:
                    await client.send(head_of(path))
                    assert (await client.head())[0] == status
    for name in ("GET /in-time", "GET /too-late"):
        assert outcome(registry, name) == (3, 3, 0)
        assert was_right(settled(registry, name))


async def test_handlers_that_raise_have_failed(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for path, status in (("/broken", 500), ("/broken-stream", 200)):
            for _ in range(3):
                async with connected(port) as client:
                    await client.send(head_of(path))
                    assert (await client.head())[0] == status
    assert outcome(registry, "GET /broken") == (3, 3, 0)
    assert outcome(registry, "GET /broken-stream") == (3, 3, 0)
    assert was_right(settled(registry, "GET /broken"))


@pytest.mark.exact
async def test_sync_endpoints_are_measured_in_all_threads_of_the_pool(live):
    parties = 40  # anyio's pool
    together = Together(parties)
    app, registry = measured(application(Route("/together", together.__call__)))

    async def ask():
        async with connected(port) as client:
            assert await client.ask("/together") == (200, 6)

    async with serving(live, app) as port, anyio.create_task_group() as clients:
        for _ in range(2 * parties):
            clients.start_soon(ask)
    assert len(together.threads) >= parties
    row = settled(registry, "GET /together")
    assert (row.count, row.errors, row.cancelled) == (2 * parties, 0, 0)
    assert row.bytes_allocated.max < 2 * BLOCK
    assert was_right(row, most=parties * 10_000)  # the threads themselves


@pytest.mark.exact
async def test_requests_on_one_connection_are_each_measured_by_themselves(live):
    app, registry = measured(application())
    async with serving(live, app) as port, connected(port) as client:
        for _ in range(20):
            assert await client.ask("/plain") == (200, 6)
            assert await client.ask("/nowhere") == (404, 9)
        if live in UVICORN:  # hypercorn serves no pipelined requests
            await client.send((head_of("/plain") + head_of("/nowhere")) * 10)
            found = [await client.answer() for _ in range(20)]
            assert found == [(200, 6), (404, 9)] * 10
    count = 30 if live in UVICORN else 20
    assert outcome(registry, "GET /plain") == (count, 0, 0)
    assert outcome(registry, "GET (unmatched)") == (count, 0, 0)
    assert registry.row("GET (unmatched)").bytes_allocated.max < BLOCK
    row = settled(registry, "GET /plain")
    assert row.bytes_allocated.p50 < BLOCK + 20_000
    assert was_right(row)


async def test_methods_have_names_of_their_own(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for method, status in (("HEAD", 200), ("OPTIONS", 405), ("PROPFIND", 405)):
            async with connected(port) as client:
                assert (await client.ask("/plain", method))[0] == status
    assert routes(registry) == {"HEAD /plain", "OPTIONS /plain", "(other) /plain"}
    assert was_right(settled(registry, "HEAD /plain"))


async def test_old_clients_are_measured(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for path in ("/plain", "/nowhere"):
            async with connected(port) as client:
                await client.send(head_of(path, version="1.0"))
                assert (await client.answer())[0] == (200 if path == "/plain" else 404)
    assert outcome(registry, "GET /plain") == outcome(registry, "GET (unmatched)") == (1, 0, 0)


async def test_requests_that_the_server_refuses_have_no_row(live):
    app, registry = measured(application())
    async with serving(live, app) as port:
        for sent in (b"x: " + b"y" * 1_000_000, b"no header\r\n\r\n"):
            async with connected(port) as client:
                with anyio.move_on_after(1):
                    try:
                        await client.send(b"GET /plain HTTP/1.1\r\nHost: x\r\n" + sent)
                        await client.head()
                    except (anyio.BrokenResourceError, anyio.IncompleteRead, anyio.EndOfStream):
                        pass
    assert routes(registry) == set()
