"""Calling ASGI applications as a server would, for the other tests of the middleware."""

from __future__ import annotations

import contextlib

import anyio

from allocmeter import Registry
from allocmeter.integrations.asgi import AllocationMiddleware

START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}
NO_BODY = {"type": "http.request", "body": b"", "more_body": False}


def http_scope(path="/", method="GET", **more):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"example.org")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        **more,
    }


def websocket_scope(path="/", **more):
    scope = http_scope(path, scheme="ws", subprotocols=[], **more)
    del scope["method"]
    return {**scope, "type": "websocket"}


LIFESPAN = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}


class Server:
    """Hands out prepared messages, and disconnects after the response; notes what it is sent."""

    def __init__(self, *incoming):
        self.incoming = list(incoming)
        self.sent = []
        self.answered = anyio.Event()

    async def receive(self):
        if not self.incoming:
            await self.answered.wait()
            return GONE
        return self.incoming.pop(0)

    async def send(self, message):
        self.sent.append(message)
        if message.get("type") == "http.response.body" and not message.get("more_body"):
            self.answered.set()

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return self.sent[0]["headers"]


async def request(app, path="/", method="GET", **more):
    """Send one request, and return the server that has the answer."""
    server = Server(NO_BODY)
    await app(http_scope(path, method, **more), server.receive, server.send)
    return server


async def talk(app, *incoming, path="/"):
    """Open a websocket connection, send messages, and disconnect."""
    messages = [{"type": "websocket.receive", "text": text} for text in incoming]
    server = Server(
        {"type": "websocket.connect"}, *messages, {"type": "websocket.disconnect", "code": 1001}
    )
    await app(websocket_scope(path), server.receive, server.send)
    return server


def measured(app, **options):
    """Return the application in the middleware, and the registry that its scopes go to."""
    registry = Registry()
    return AllocationMiddleware(app, registry=registry, **options), registry


async def names_of(app, *paths, method="GET", **options):
    """Return the names of requests to an application, in order."""
    wrapped, registry = measured(app, **options)
    names = []
    for path in paths:
        with contextlib.suppress(ConnectionResetError):
            await request(wrapped, path, method)
        (name,) = set(registry) - set(names) or {None}
        names.append(name)
    return names


async def answer(receive, send):
    """Answer with messages that exist already."""
    await send(START)
    await send(END)


def test_the_helpers_speak_asgi():
    # What the other files rely on; a mistake here would show in all of them.
    assert http_scope("/a", "PUT")["method"] == "PUT"
    assert "method" not in websocket_scope()
