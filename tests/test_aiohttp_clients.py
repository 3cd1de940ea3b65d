"""The aiohttp middleware: clients that go away in the middle."""

from __future__ import annotations

import asyncio

import pytest

from serving import _registry, outcome, until  # noqa: F401
from test_aiohttp import application, running

aiohttp = pytest.importorskip("aiohttp")
from aiohttp import web  # noqa: E402

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def read_all(request):
    return web.Response(text=f"{len(await request.read())}")


async def write_on(request):
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(50_000))
        await asyncio.sleep(0)


async def break_off(request):
    await asyncio.sleep(0)
    raise ConnectionResetError("of another connection")


GIVEN_UP = {
    read_all: (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", (1, 0, 1)),
    write_on: (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (1, 0, 1)),
    break_off: (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (1, 1, 0)),
}


@pytest.mark.parametrize("handler", GIVEN_UP)
async def test_a_handler_that_gives_up_because_the_client_is_gone_has_not_failed(handler, registry):
    sent, expected = GIVEN_UP[handler]
    started = asyncio.Event()

    async def handle(request):
        started.set()
        return await handler(request)

    app = application(registry, [web.route("*", "/", handle)])
    async with running(app) as address:
        _, writer = await asyncio.open_connection(*address)
        writer.write(sent)
        await started.wait()
        if handler is not break_off:
            writer.transport.abort()
        await until(lambda: len(registry))
        writer.transport.abort()
    (name,) = registry
    assert outcome(registry, name) == expected
