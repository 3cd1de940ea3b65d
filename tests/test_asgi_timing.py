"""The `Server-Timing` header that the ASGI middleware adds."""

from __future__ import annotations

import re

import pytest

from allocmeter import BackendUnavailableError
from allocmeter.integrations import _asgi_timing
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import END, START, answer, request

pytestmark = pytest.mark.anyio


async def app(scope, receive, send):
    await answer(receive, send)


# As in RFC 9110 and the W3C's Server Timing; the text is what we promise.
METRIC = rb'alloc;desc="[\d,.]+ ([KMG]iB|B) in [\d,]+ blocks, peak [\d,.]+ ([KMG]iB|B)"'


@pytest.mark.exact
async def test_the_header_tells_what_the_request_has_cost_so_far(anyio_backend):
    async def allocating(scope, receive, send):
        bytes(5_000_000)
        kept = bytes(1_000_000)
        await answer(receive, send)
        del kept

    server = await request(AllocationMiddleware(allocating, server_timing=True))
    ((name, value),) = server.headers
    assert name == b"server-timing"
    assert re.fullmatch(METRIC, value)
    assert re.fullmatch(rb'alloc;desc="5.7 MiB in [3-9] blocks, peak 4.8 MiB"', value)
    assert START["headers"] == []


@pytest.mark.parametrize("headers", [[(b"Server-Timing", b"db;dur=53")], [[b"server-timing", b""]]])
async def test_a_header_that_is_there_is_continued(anyio_backend, headers):
    start = {**START, "headers": iter([(b"x", b"y"), *headers])}

    async def timed(scope, receive, send):
        await send(start)
        await send(END)

    server = await request(AllocationMiddleware(timed, server_timing=True))
    (other, (name, value)) = server.headers
    assert other == (b"x", b"y")
    assert name == headers[0][0]
    assert re.fullmatch(b"(db;dur=53, )?" + METRIC, value)
    assert value.startswith(headers[0][1])


async def test_a_response_without_headers_gets_one(anyio_backend):
    async def bare(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    server = await request(AllocationMiddleware(bare, server_timing=True))
    assert [name for name, _ in server.headers] == [b"server-timing"]


async def test_there_is_no_header_unless_asked_for(anyio_backend):
    server = await request(AllocationMiddleware(app))
    assert server.sent[0] is START


async def test_a_request_without_figures_goes_without_the_header(anyio_backend, monkeypatch):
    def refuse(scope):
        raise BackendUnavailableError("no figures")

    monkeypatch.setattr(_asgi_timing, "read_scope", refuse)
    server = await request(AllocationMiddleware(app, server_timing=True))
    assert server.sent == [START, END]
