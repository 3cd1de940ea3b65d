"""What `send` and `receive` return to an application: as good as a coroutine of the server's."""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import gc
import weakref

import anyio
import pytest
from anyio.lowlevel import checkpoint

from allocmeter import AllocationStats, Registry, measure
from allocmeter._core.figures import current_scope
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import END, START, http_scope

pytestmark = pytest.mark.anyio
asyncio_only = pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])


async def within(app, send, receive=None):
    registry = Registry()
    await AllocationMiddleware(app, registry=registry)(http_scope(), receive, send)
    return registry


async def test_it_is_a_coroutine_for_whoever_asks(anyio_backend):
    async def app(scope, receive, send):
        call = send(START)
        assert isinstance(call, collections.abc.Coroutine)
        await call
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, END)

    sent = []

    async def server_send(message):
        await checkpoint()
        sent.append(message)

    registry = await within(app, server_send)
    assert sent == [START, END]
    assert registry.row("GET (unmatched)").errors == 0


async def test_the_server_works_outside_of_the_scope_at_every_step(anyio_backend):
    seen = []

    async def server_send(message):
        for _ in range(3):
            seen.append(current_scope())
            await checkpoint()

    async def app(scope, receive, send):
        await send(START)
        assert current_scope() is scope["allocmeter"]
        await send(END)
        assert current_scope() is scope["allocmeter"]

    await within(app, server_send)
    assert seen == [None] * 6


async def test_a_result_and_an_exception_come_through(anyio_backend):
    async def server_receive():
        await checkpoint()
        return {"type": "http.request", "body": b"abc"}

    async def server_send(message):
        await checkpoint()
        raise LookupError(message["type"])

    async def app(scope, receive, send):
        assert (await receive())["body"] == b"abc"
        with pytest.raises(LookupError, match="start"):
            await send(START)
        assert current_scope() is scope["allocmeter"]

    await within(app, server_send, server_receive)


async def test_awaiting_it_twice_is_refused_as_for_any_coroutine(anyio_backend):
    async def app(scope, receive, send):
        call = send(START)
        await call
        with pytest.raises(RuntimeError, match="already awaited"):
            await call

    async def server_send(message):
        pass

    await within(app, server_send)


async def test_a_cancellation_reaches_the_server_and_the_scope_is_current_again(anyio_backend):
    cancelled = []

    async def server_send(message):
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(current_scope())
            raise

    async def app(scope, receive, send):
        with anyio.move_on_after(0.01):
            await send(START)
        assert current_scope() is scope["allocmeter"]

    await within(app, server_send)
    assert cancelled == [None]


@asyncio_only
async def test_it_may_be_stepped_by_hand(anyio_backend):
    class Pause:
        def __await__(self):
            answer = yield "step"
            return answer

    async def server_send(message):
        return [await Pause(), current_scope()]

    async def app(scope, receive, send):
        call = send(START)
        assert call.send(None) == "step"
        with pytest.raises(StopIteration) as stopped:
            call.send(("a", "tuple"))
        assert stopped.value.value == [("a", "tuple"), None]
        assert current_scope() is scope["allocmeter"]

        call = iter(send(START).__await__())
        assert next(call) == "step"
        with pytest.raises(KeyError, match="thrown"):
            call.throw(KeyError("thrown"))
        assert current_scope() is scope["allocmeter"]

        call = send(START)
        with pytest.raises(KeyError, match="early"):
            call.throw(KeyError("early"))
        with pytest.raises(RuntimeError, match="already awaited"):
            call.send(None)

    await within(app, server_send)


@asyncio_only
async def test_closing_it_closes_the_servers_coroutine(anyio_backend):
    ended = []

    async def server_send(message):
        try:
            await asyncio.sleep(1)
        finally:
            ended.append(current_scope())

    async def app(scope, receive, send):
        call = send(START)
        call.send(None)
        call.close()
        call.close()
        assert ended == [None]
        assert current_scope() is scope["allocmeter"]
        fresh = send(START)
        fresh.close()
        with pytest.raises(RuntimeError, match="already awaited"):
            await fresh

    await within(app, server_send)


@asyncio_only
async def test_a_server_that_returns_no_awaitable_is_told_so(anyio_backend):
    async def app(scope, receive, send):
        with pytest.raises(TypeError, match="can't be used in 'await' expression"):
            await send(START)
        assert current_scope() is scope["allocmeter"]

    await within(app, lambda message: None)


@asyncio_only
async def test_one_that_is_abandoned_in_the_middle_leaves_nothing_behind(anyio_backend):
    async def server_send(message):
        await asyncio.get_running_loop().create_future()

    class Witness:
        pass

    async def app(scope, receive, send):
        witness = Witness()
        found.append(weakref.ref(witness))
        call = send({**START, "witness": witness, "call": []})
        call.send(None)
        scope["cycle"] = (call, send, receive, scope)

    found = []
    await within(app, server_send)
    gc.collect()
    assert found[0]() is None


@pytest.mark.exact
@asyncio_only
async def test_a_context_that_the_server_copies_belongs_to_nobody(anyio_backend):
    contexts = []

    async def server_send(message):
        contexts.append(contextvars.copy_context())

    async def app(scope, receive, send):
        await send(START)
        await send(END)

    registry = await within(app, server_send)
    with measure() as around:
        for context in contexts:
            assert context.run(current_scope) is None
            context.run(bytes, 100_000)
    assert around.stats.bytes_allocated < 10_000
    assert registry.row("GET (unmatched)").late_bytes_allocated == 0


@pytest.mark.exact
async def test_messages_cost_the_scope_nothing(anyio_backend):
    message = {"type": "http.request", "body": b"", "more_body": False}
    costs = []

    async def server_receive():
        return message

    async def server_send(message):
        pass

    async def app(scope, receive, send):
        measured = scope["allocmeter"]
        before = measured.stats
        await receive()
        await send(START)
        costs.append(measured.stats - before)
        await send(END)

    for _ in range(3):
        await within(app, server_send, server_receive)
    # Before 3.12, awaiting anything makes a bound method of the interpreter's own now and then.
    assert costs[-1] == AllocationStats()
