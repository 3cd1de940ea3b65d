"""The live page as an ASGI application: what it answers, and what it leaves alone."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from allocmeter import Report, backend_info, measure
from allocmeter.integrations import _dashboard_figures
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.dashboard import DashboardApp
from dashboard_requests import ask, body_of, dashboard, header
from test_asgi_calls import LIFESPAN, Server, answer, http_scope, request, talk, websocket_scope

pytestmark = pytest.mark.anyio


# What it answers


@pytest.mark.parametrize("path", ["/", ""])
async def test_there_is_a_page(path):
    app, _ = dashboard()
    found = await ask(app, path)
    assert found.status == 200
    assert header(found, b"content-type") == b"text/html; charset=utf-8"
    assert body_of(found).startswith(b"<!DOCTYPE html>")


async def test_there_are_figures():
    app, _ = dashboard("GET /items/{id}")
    found = await ask(app, "/figures.json")
    assert found.status == 200
    assert header(found, b"content-type") == b"application/json"
    assert Report.from_json(body_of(found)).row("GET /items/{id}").count == 1


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("/memory/figures.json", "/memory"),  # as the specification says
        ("/figures.json", "/memory"),  # as older servers and frameworks do
        ("/a/b/figures.json", "/a/b"),
    ],
)
async def test_it_may_be_mounted_anywhere(path, root_path):
    app, _ = dashboard()
    found = await ask(app, path, root_path=root_path)
    assert header(found, b"content-type") == b"application/json"


@pytest.mark.parametrize(
    "path",
    ["/x", "/figures.jsonx", "/figures.json/", "//", "/../figures.json", "/%66igures.json", "/\0"],
)
async def test_there_is_nothing_else(path):
    app, _ = dashboard()
    found = await ask(app, path)
    assert found.status == 404
    assert body_of(found) == b"404: there is a page at /, and its figures at /figures.json\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"])
@pytest.mark.parametrize("path", ["/", "/figures.json"])
async def test_there_is_nothing_to_change(method, path):
    app, _ = dashboard()
    found = await ask(app, path, method)
    assert found.status == 405
    assert header(found, b"allow") == b"GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/figures.json", "/x"])
async def test_a_head_request_gets_the_headers_alone(path):
    app, _ = dashboard("a")
    full, head = await ask(app, path), await ask(app, path, "HEAD")
    assert head.sent[0] == full.sent[0]
    assert body_of(head) == b""
    assert int(header(head, b"content-length")) == len(body_of(full)) > 0


@pytest.mark.parametrize("path", ["/", "/figures.json", "/x"])
@pytest.mark.parametrize("client", ["127.0.0.1", "192.0.2.1"])
async def test_no_answer_is_kept_shared_or_framed(path, client):
    app, _ = dashboard()
    found = await ask(app, path, client=(client, 1), headers=[(b"origin", b"https://evil.example")])
    headers = dict(found.headers)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert not [name for name in headers if name.startswith(b"access-control")]
    assert len(headers) == len(found.headers)


async def test_a_websocket_is_closed():
    app, _ = dashboard()
    assert (await talk(app)).sent == [{"type": "websocket.close", "code": 1008}]


async def test_it_can_be_served_alone():
    app, _ = dashboard()
    server = Server({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await app(dict(LIFESPAN), server.receive, server.send)
    assert [message["type"] for message in server.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_what_asgi_does_not_know_is_left_alone():
    app, _ = dashboard()
    server = Server()
    await app({"type": "quic"}, server.receive, server.send)
    assert server.sent == []


# Failures


async def test_a_failure_of_ours_is_logged_once_and_ends_with_the_request(monkeypatch, caplog):
    app, _ = dashboard("a")
    monkeypatch.setattr(_dashboard_figures, "refresh_retained", lambda: 1 / 0)
    for _ in range(3):
        found = await ask(app, "/figures.json")
        assert found.status == 500
        assert body_of(found).startswith(b"500: the figures could not be read")
        assert b"ZeroDivisionError" not in body_of(found)
    (record,) = [found for found in caplog.records if found.levelno >= logging.WARNING]
    assert record.name == "allocmeter"
    assert "division by zero" in record.exc_text
    monkeypatch.undo()
    assert (await ask(app, "/figures.json")).status == 200


async def test_nothing_is_shown_where_letting_clients_in_fails(monkeypatch, caplog):
    app, _ = dashboard("a")
    found = await request(app, "/figures.json", headers=None)
    assert found.status == 500
    assert "live page" in caplog.text


# Being measured


async def test_its_requests_are_not_measured():
    app, registry = dashboard("GET /items")

    async def router(scope, receive, send):
        if not scope["path"].startswith("/memory"):
            return await answer(receive, send)
        return await app({**scope, "root_path": "/memory"}, receive, send)

    outer = AllocationMiddleware(router, registry=registry, websocket_messages=True)
    for path, status in [
        ("/memory/", 200),
        ("/memory/figures.json", 200),
        ("/memory/x", 404),
    ]:
        found = await ask(outer, path)
        assert found.status == status
    assert (await talk(outer, "a message", path="/memory/")).sent[0]["type"] == "websocket.close"
    assert (await ask(outer, "/memory/", "POST")).status == 405
    assert (await ask(outer, "/memory/", client=("192.0.2.1", 1))).status == 403
    assert list(registry) == ["GET /items"]
    await ask(outer, "/elsewhere")
    assert list(registry) == ["GET /items", "GET (unmatched)"]


async def test_a_scope_that_is_over_already_does_no_harm(caplog):
    app, _ = dashboard()
    with measure("over") as scope:
        pass
    assert (await ask(app, allocmeter=scope)).status == 200
    assert (await ask(app, allocmeter="of somebody else")).status == 200
    assert len([found for found in caplog.records if found.levelno >= logging.WARNING]) == 1


@pytest.mark.exact
async def test_what_it_does_is_charged_to_no_scope():
    app, _ = dashboard(*(f"GET /{number}" for number in range(200)))
    await ask(app, "/figures.json")  # imports
    app._figures._made_at = float("-inf")
    scope = http_scope("/figures.json", headers=[(b"host", b"localhost")])
    server = Server()
    async with measure() as around:
        await app(scope, server.receive, server.send)
    assert len(body_of(server)) > 100_000
    # What calls the application makes a coroutine, and this server notes two messages.
    assert around.stats.bytes_allocated < 2_000
    assert around.peak_bytes < 2_000


async def test_the_server_works_outside_of_every_scope_and_of_ours():
    from allocmeter._core.figures import current_scope

    app, _ = dashboard("a")
    await ask(app)  # imports
    scopes, kept = [], []

    async def send(message):
        scopes.append(current_scope())
        kept.append(bytearray(1_000_000))

    async def receive():
        scopes.append(current_scope())
        kept.append(bytearray(1_000_000))
        return {"type": "websocket.connect"}

    before = backend_info().own_bytes
    async with measure() as around:
        await app(http_scope(headers=[(b"host", b"localhost")]), receive, send)
        await app(websocket_scope(), receive, send)
        assert current_scope() is around
    assert scopes == [None] * 4
    assert backend_info().own_bytes - before < 1_000_000
    assert around.peak_bytes < 1_000_000


# Options, and what comes with it


def test_the_figures_are_those_of_the_process_by_default():
    with measure("of the process"):
        pass
    assert "of the process" in DashboardApp()._registry


def test_nothing_of_it_is_imported_until_it_is_asked_for():
    script = (
        "import sys, json, allocmeter, allocmeter.integrations.asgi\n"
        "first = [name for name in sys.modules if 'dashboard' in name]\n"
        "import allocmeter.integrations.dashboard as page\n"
        "heavy = ['starlette', 'html', 'ipaddress', 'hmac', 'hashlib', 'urllib.parse']\n"
        "print(json.dumps([first, [name for name in heavy if name in sys.modules], page.__all__]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(run.stdout) == [[], [], ["DashboardApp"]]
