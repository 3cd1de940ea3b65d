"""The ASGI middleware: cancelled anywhere, and between servers and applications with mistakes."""

from __future__ import annotations

import asyncio
import collections
import contextvars
import types

import anyio
import pytest
from anyio.lowlevel import checkpoint

from allocmeter import backend_info
from allocmeter._core.figures import current_scope
from serving import outcome
from test_asgi_calls import (
    END,
    GONE,
    NO_BODY,
    START,
    Server,
    answer,
    http_scope,
    measured,
    request,
    websocket_scope,
)

NAME = "GET /a"
PART = {"type": "http.response.body", "body": b"x", "more_body": True}

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _nothing_stays_open():
    yield
    assert current_scope() is None
    assert backend_info().open_scopes == 0


class Slow(Server):
    async def receive(self):
        await checkpoint()
        return await super().receive()

    async def send(self, message):
        await checkpoint()
        await super().send(message)
        await checkpoint()


async def thorough(scope, receive, send):
    scope["path_template"] = "/a"
    while (await receive()).get("more_body"):
        await checkpoint()
    await send(START)
    for _ in range(3):
        await send(PART)
    await send(END)
    await checkpoint()


async def cancelled_after(steps, app, server):
    """Cancel the whole call after some steps; return whether it was still running."""

    async def cancel():
        for _ in range(steps):
            await checkpoint()
        call.cancel()

    with anyio.CancelScope() as call:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel)
            await app(http_scope(), server.receive, server.send)
            tasks.cancel_scope.cancel()
    return call.cancelled_caught


async def test_a_request_may_be_cancelled_at_any_step(anyio_backend):
    for steps in range(40):
        app, registry = measured(thorough)
        server = Slow({"type": "http.request", "more_body": True}, NO_BODY)
        cancelled = await cancelled_after(steps, app, server)
        (name,) = registry
        if END not in server.sent:
            assert cancelled
            assert outcome(registry, name) == (1, 0, 1)
        elif not cancelled:
            assert outcome(registry, name) == (1, 0, 0)
        assert outcome(registry, name)[:2] == (1, 0)
        assert current_scope() is None
    assert not cancelled


ERRORS = (ValueError, StopAsyncIteration, RuntimeError)
CANCELLATIONS = (OSError, ConnectionResetError, GeneratorExit, asyncio.CancelledError)


@pytest.mark.parametrize("error", ERRORS + CANCELLATIONS)
@pytest.mark.parametrize("position", range(5))
async def test_what_the_server_raises_reaches_the_application(anyio_backend, error, position):
    raised = error()

    class Failing(Server):
        async def send(self, message):
            if len(self.sent) == position:
                raise raised
            await super().send(message)

    app, registry = measured(thorough)
    server = Failing(NO_BODY)
    with pytest.raises(error) as caught:
        await app(http_scope(), server.receive, server.send)
    assert caught.value is raised
    assert outcome(registry, NAME) == (1, error in ERRORS, error in CANCELLATIONS)


@pytest.mark.parametrize(
    "message",
    [
        None,
        5,
        [],
        "text",
        {},
        {"type": b"http.response.body"},
        {**START, "status": "200"},
        {**START, "status": None, "headers": 5},
        {**START, "headers": [("server-timing", "text")]},
        {**START, "headers": [5, (b"one",), (b"server-timing", None)]},
    ],
)
@pytest.mark.parametrize("server_timing", [False, True])
async def test_a_mistake_of_the_application_does_not_end_the_measuring(
    anyio_backend, caplog, message, server_timing
):
    async def careless(scope, receive, send):
        await send(message)
        await send(END)

    app, registry = measured(careless, server_timing=server_timing)
    for _ in range(2):
        server = Lenient(NO_BODY)
        await app(http_scope(), server.receive, server.send)
        assert server.sent[1] is END
    assert outcome(registry, "GET (unmatched)") == (2, 0, 0)
    assert not caplog.records


class Lenient(Server):
    async def send(self, message):
        self.sent.append(message)


@pytest.mark.parametrize("message", [None, 5, {}, types.MappingProxyType(GONE)])
@pytest.mark.parametrize("scope_of", [http_scope, websocket_scope])
async def test_whatever_the_server_hands_out_reaches_the_application(
    anyio_backend, caplog, message, scope_of
):
    async def app(scope, receive, send):
        assert (await receive()) is message
        await answer(receive, send)

    wrapped, registry = measured(app)
    server = Server(message)
    await wrapped(scope_of(), server.receive, server.send)
    assert len(registry) == 1
    assert not caplog.records


@pytest.mark.parametrize(
    "mapping", [collections.OrderedDict, collections.UserDict, collections.ChainMap]
)
async def test_the_scope_may_be_any_mapping_that_can_be_changed(anyio_backend, mapping):
    app, registry = measured(thorough)
    server = Server(NO_BODY)
    await app(mapping(http_scope()), server.receive, server.send)
    assert outcome(registry, NAME) == (1, 0, 0)


async def test_messages_after_the_end_and_tasks_that_go_on_change_nothing(anyio_backend):
    go_on = anyio.Event()

    async def later(send):
        await go_on.wait()
        await send(PART)
        await send(END)

    async with anyio.create_task_group() as tasks:

        async def app(scope, receive, send):
            await answer(receive, send)
            await answer(receive, send)
            tasks.start_soon(later, send)

        wrapped, registry = measured(app)
        servers = [await request(wrapped) for _ in range(5)]
        go_on.set()
    assert [len(server.sent) for server in servers] == [6] * 5
    assert outcome(registry, "GET (unmatched)") == (5, 0, 0)


async def test_several_tasks_may_receive_at_once(anyio_backend):
    async def app(scope, receive, send):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(receive)
            await answer(receive, send)

    wrapped, registry = measured(app)
    server = Slow(NO_BODY, NO_BODY)
    await wrapped(http_scope(), server.receive, server.send)
    assert outcome(registry, "GET (unmatched)") == (1, 0, 0)


async def test_messages_that_several_tasks_handle_at_once_are_each_counted(anyio_backend):
    texts = [{"type": "websocket.receive", "text": "x"}] * 9

    async def app(scope, receive, send):
        async def handle():
            while (await receive())["type"] == "websocket.receive":
                await checkpoint()
            tasks.cancel_scope.cancel()

        await receive()
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(handle)

    wrapped, registry = measured(app, websocket_messages=True)
    server = Slow({"type": "websocket.connect"}, *texts, {"type": "websocket.disconnect"})
    await wrapped(websocket_scope(), server.receive, server.send)
    assert outcome(registry, "WS (unmatched) (message)") == (9, 0, 0)
    assert outcome(registry, "WS (unmatched)") == (1, 0, 0)


class Pause:
    def __await__(self):
        yield


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("other", [False, True], ids=["same context", "other context"])
async def test_a_call_that_is_closed_in_the_middle_has_ended(anyio_backend, other):
    async def app(scope, receive, send):
        await Pause()

    wrapped, registry = measured(app)
    call = wrapped(http_scope(), None, None)
    context = contextvars.copy_context()
    context.run(call.send, None)
    assert context.run(current_scope) is not None
    (contextvars.copy_context() if other else context).run(call.close)
    assert outcome(registry, "GET (unmatched)") == (1, 0, 1)
    assert context.run(current_scope) is None


async def test_an_inner_call_with_a_scope_of_its_own_is_a_request_of_its_own(anyio_backend):
    async def app(scope, receive, send):
        scope["path_template"] = scope["path"]
        if scope["path"] == "/outer":
            await request(wrapped, "/inner")
            server = Server(NO_BODY)
            await wrapped({**scope, "path": "/copy"}, server.receive, server.send)
            assert current_scope() is scope["allocmeter"]
        await answer(receive, send)

    wrapped, registry = measured(app)
    await request(wrapped, "/outer")
    assert {name: outcome(registry, name) for name in registry} == {
        "GET /inner": (1, 0, 0),
        "GET /outer": (1, 0, 0),
    }
