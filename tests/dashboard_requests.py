"""Asking the live page, for its tests."""

from __future__ import annotations

from allocmeter import Registry
from allocmeter.integrations.dashboard import DashboardApp
from test_asgi_calls import request

HOST = (b"host", b"localhost:8000")


def dashboard(*names, **options):
    """Return a live page, and the registry that it shows."""
    registry = Registry()
    for name in names:
        with registry.measure(name):
            bytearray(1000)
    return DashboardApp(registry=registry, **options), registry


async def ask(app, path="/", method="GET", headers=(), **more):
    """Send a request as a browser on the same computer does."""
    return await request(app, path, method, headers=[HOST, *headers], **more)


def body_of(server):
    return b"".join(message.get("body", b"") for message in server.sent[1:])


def header(server, name):
    """Return the one value of a header; `None` if there is none."""
    values = [value for found, value in server.headers if found == name]
    assert len(values) <= 1
    return values[0] if values else None


def bearer(token):
    return (b"authorization", b"Bearer " + token.encode())
