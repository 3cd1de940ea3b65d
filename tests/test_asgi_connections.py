"""The ASGI middleware: websockets, and the life of an application."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from allocmeter._core.figures import current_scope
from test_asgi_calls import GONE, LIFESPAN, Server, answer, measured, request, talk

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000
SIZES = {"small": MEGABYTE, "large": 3 * MEGABYTE}


class WebSocketDisconnect(Exception):  # noqa: N818 - as Starlette and Litestar call theirs
    """What frameworks raise in an application that asks for more from a client that is gone."""


async def echo(scope, receive, send):
    """Allocate what each message asks for, and keep what the last one asks for to the end."""
    scope["path_template"] = "/echo/{room}"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kept = bytes(SIZES.get(message["text"], 0))
        if message["text"] == "fail":
            raise ZeroDivisionError
        await send({"type": "websocket.send", "text": message["text"]})
    kept = None
    del kept


async def test_a_connection_is_one_scope(anyio_backend):
    app, registry = measured(echo)
    server = await talk(app, "small", "large", path="/echo/7")
    assert [message["type"] for message in server.sent] == ["websocket.accept"] + [
        "websocket.send"
    ] * 2
    assert list(registry) == ["WS /echo/{room}"]
    row = registry.row("WS /echo/{room}")
    assert (row.count, row.errors, row.cancelled) == (1, 0, 0)
    assert 4 * MEGABYTE < row.bytes_allocated.max < 5 * MEGABYTE
    assert row.retained_bytes < MEGABYTE


async def test_each_message_may_have_a_scope_within_that_of_the_connection(anyio_backend):
    app, registry = measured(echo, websocket_messages=True)
    await talk(app, "small", "large", "none", path="/echo/7")
    assert set(registry) == {"WS /echo/{room}", "WS /echo/{room} (message)"}
    messages = registry.row("WS /echo/{room} (message)")
    assert messages.count == 3
    assert messages.bytes_allocated.min < MEGABYTE
    assert 3 * MEGABYTE < messages.bytes_allocated.max < 4 * MEGABYTE
    connection = registry.row("WS /echo/{room}").bytes_allocated.max
    assert messages.bytes_allocated.sum <= connection
    assert current_scope() is None


async def test_an_error_is_one_of_the_message_and_of_the_connection(anyio_backend):
    app, registry = measured(echo, websocket_messages=True)
    with pytest.raises(ZeroDivisionError):
        await talk(app, "small", "fail")
    rows = [registry.row(f"WS /echo/{{room}}{suffix}") for suffix in ("", " (message)")]
    assert [(row.count, row.errors) for row in rows] == [(1, 1), (2, 1)]


@pytest.mark.parametrize("error", [WebSocketDisconnect, ConnectionResetError])
async def test_an_application_that_ends_because_the_client_is_gone_has_not_failed(
    anyio_backend, error
):
    async def app(scope, receive, send):
        while (await receive())["type"] != "websocket.disconnect":
            pass
        raise error

    wrapped, registry = measured(app)
    with pytest.raises(error):
        await talk(wrapped)
    assert registry.row("WS (unmatched)").errors == 0


async def test_a_cancelled_connection_counts_as_such(anyio_backend):
    async def app(scope, receive, send):
        await anyio.sleep_forever()

    wrapped, registry = measured(app, websocket_messages=True)
    with anyio.move_on_after(0.01):
        await talk(wrapped)
    row = registry.row("WS (unmatched)")
    assert (row.count, row.errors, row.cancelled) == (1, 0, 1)


async def test_messages_may_be_received_by_a_child_task(anyio_backend):
    async def app(scope, receive, send):
        async def reader():
            while (await receive())["type"] != "websocket.disconnect":
                bytes(MEGABYTE)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)

    wrapped, registry = measured(app, websocket_messages=True)
    await talk(wrapped, "a", "b")
    row = registry.row("WS (unmatched) (message)")
    assert row.count == 2
    assert row.bytes_allocated.min > MEGABYTE
    assert current_scope() is None


# The life of an application


STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


@contextlib.asynccontextmanager
async def living(app):
    """Start an application as a server does, and shut it down at the end."""
    stopping = anyio.Event()
    server = Server()
    messages = iter([STARTUP, SHUTDOWN])

    async def receive():
        message = next(messages)
        if message is SHUTDOWN:
            await stopping.wait()
        return message

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app, dict(LIFESPAN), receive, server.send)
        while not server.sent:
            await anyio.sleep(0)
        yield server
        stopping.set()


async def application(scope, receive, send):
    """Keep a megabyte from startup to shutdown, and have a task that makes some more."""
    if scope["type"] == "http":
        scope["path_template"] = "/x"
        if scope["path"] == "/work":
            application.wanted.set()
            await application.done.wait()
        await answer(receive, send)
        return
    await receive()
    kept = bytes(MEGABYTE)
    application.wanted, application.done = anyio.Event(), anyio.Event()

    async def background():
        await application.wanted.wait()
        bytes(5 * MEGABYTE)
        application.done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(background)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        bytes(3 * MEGABYTE)
        tasks.cancel_scope.cancel()
    del kept
    await send({"type": "lifespan.shutdown.complete"})


async def test_startup_and_shutdown_are_scopes_of_their_own(anyio_backend):
    app, registry = measured(application)
    async with living(app) as server:
        assert list(registry) == ["lifespan startup"]
        startup = registry.row("lifespan startup")
        assert MEGABYTE < startup.bytes_allocated.max < 2 * MEGABYTE
        assert startup.retained_bytes > MEGABYTE
        await request(app)
        assert registry.row("GET /x").retained_bytes < MEGABYTE
    shutdown = registry.row("lifespan shutdown")
    assert 3 * MEGABYTE < shutdown.bytes_allocated.max < 4 * MEGABYTE
    startup = registry.row("lifespan startup")
    assert startup.retained_bytes < MEGABYTE
    assert startup.late_bytes_allocated < MEGABYTE
    assert {row.errors for row in (startup, shutdown)} == {0}
    assert [message["type"] for message in server.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_task_that_was_started_at_startup_is_no_work_of_a_request(anyio_backend):
    app, registry = measured(application)
    async with living(app):
        await request(app, "/work")
    assert registry.row("GET /x").bytes_allocated.max < MEGABYTE
    assert registry.row("lifespan startup").late_bytes_allocated > 5 * MEGABYTE


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
async def test_a_phase_that_fails_is_counted_as_failed(anyio_backend, phase):
    async def app(scope, receive, send):
        for current in ("startup", "shutdown"):
            await receive()
            outcome = "failed" if current == phase else "complete"
            await send({"type": f"lifespan.{current}.{outcome}"})

    wrapped, registry = measured(app)
    server = Server(STARTUP, SHUTDOWN)
    await wrapped(dict(LIFESPAN), server.receive, server.send)
    failed = {name for name in registry if registry.row(name).errors}
    assert failed == {f"lifespan {phase}"}


async def test_an_error_during_shutdown_is_one_of_the_shutdown(anyio_backend):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ZeroDivisionError

    wrapped, registry = measured(app)
    server = Server(STARTUP, SHUTDOWN)
    with pytest.raises(ZeroDivisionError):
        await wrapped(dict(LIFESPAN), server.receive, server.send)
    assert [registry.row(f"lifespan {phase}").errors for phase in ("startup", "shutdown")] == [0, 1]


async def test_an_application_without_a_lifespan_has_no_row_for_it(anyio_backend):
    async def refusing(scope, receive, send):
        raise ValueError(scope["type"])

    wrapped, registry = measured(refusing)
    server = Server(STARTUP, GONE)
    with pytest.raises(ValueError, match="lifespan"):
        await wrapped(dict(LIFESPAN), server.receive, server.send)
    assert not len(registry)
