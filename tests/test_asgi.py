"""The ASGI middleware: what a request is charged with, and when its scope ends."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import anyio
import pytest

from allocmeter import measure
from allocmeter._core.figures import current_scope
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import (
    END,
    NO_BODY,
    START,
    Server,
    answer,
    http_scope,
    measured,
    request,
)

BLOCK = 10_000
BLOCK_BYTES = sys.getsizeof(bytes(BLOCK))

pytestmark = pytest.mark.anyio


def allocating(blocks, *, pauses=0):
    """Return an application that makes some blocks for each request, and forgets them."""
    empty = [None] * blocks

    async def app(scope, receive, send):
        made = empty.copy()
        for number in range(blocks):
            made[number] = bytes(BLOCK)
        for _ in range(pauses):
            await anyio.sleep(0)
        del made
        await answer(receive, send)

    return app


async def row_of(app, *, calls=20):
    wrapped, registry = measured(app)
    for _ in range(calls):
        await request(wrapped)
    return registry.row("GET (unmatched)")


@pytest.mark.exact
async def test_a_request_is_charged_with_what_the_application_allocates(anyio_backend):
    none, some = await row_of(allocating(0)), await row_of(allocating(100))
    made = some.bytes_allocated.min - none.bytes_allocated.min
    assert made == 100 * BLOCK_BYTES + 100 * 8  # and the list of them
    assert some.allocations.min - none.allocations.min == 101
    # A request that makes nothing peaks elsewhere, at some hundred bytes.
    assert 0 <= some.peak_bytes.min - made < 1000


@pytest.mark.exact
async def test_an_application_that_allocates_nothing_is_charged_with_its_coroutine(anyio_backend):
    async def app(scope, receive, send):
        await answer(receive, send)

    row = await row_of(app)
    coroutines = app(None, None, None), answer(None, None)
    assert row.allocations.min == 2
    assert row.bytes_allocated.min >= sum(sys.getsizeof(coroutine) for coroutine in coroutines)
    for coroutine in coroutines:
        coroutine.close()


@pytest.mark.exact
async def test_neighbours_do_not_change_the_figures_of_a_route(anyio_backend):
    alone = await row_of(allocating(20, pauses=10))
    beside = AllocationMiddleware(allocating(200, pauses=10))
    wrapped, registry = measured(allocating(20, pauses=10))
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(request, wrapped)
            tasks.start_soon(request, beside)
    together = registry.row("GET (unmatched)")
    assert together.count == 20
    # Which freed objects Python uses again depends on the neighbours; nothing else does.
    for field in ("bytes_allocated", "allocations", "peak_bytes"):
        expected = getattr(alone, field).p50
        assert getattr(together, field).p50 == pytest.approx(expected, rel=0.01, abs=4)


async def test_the_server_works_outside_of_the_scope_when_it_is_called(anyio_backend):
    seen = []

    class Watching(Server):
        async def receive(self):
            seen.append(current_scope())
            await anyio.sleep(0)
            seen.append(current_scope())
            return await super().receive()

        async def send(self, message):
            seen.append(current_scope())
            self.later = contextvars.copy_context()
            bytes(1_000_000)

    async def app(scope, receive, send):
        await receive()
        assert current_scope() is scope["allocmeter"]
        await answer(receive, send)
        assert current_scope() is scope["allocmeter"]

    wrapped, registry = measured(app)
    server = Watching(NO_BODY)
    await wrapped(http_scope(), server.receive, server.send)
    assert seen == [None] * 4
    assert server.later.run(current_scope) is None
    assert current_scope() is None
    assert registry.row("GET (unmatched)").bytes_allocated.max < 1_000_000


@pytest.mark.exact
async def test_a_request_lies_within_no_scope_of_the_context_it_is_served_in(anyio_backend):
    app, registry = measured(allocating(100))
    with measure() as around:
        await request(app)
    assert registry.row("GET (unmatched)").bytes_allocated.max > 100 * BLOCK
    assert around.stats.bytes_allocated < 100 * BLOCK


async def test_what_follows_the_response_is_late_work(anyio_backend):
    kept = []

    async def app(scope, receive, send):
        await answer(receive, send)
        kept.append(bytes(BLOCK))

    row = await row_of(app, calls=10)
    assert row.bytes_allocated.max < BLOCK
    assert row.late_bytes_allocated >= 10 * BLOCK_BYTES
    assert row.retained_bytes >= 10 * BLOCK_BYTES


@pytest.mark.parametrize(
    ("start", "parts"),
    [
        (START, [{**END, "more_body": True}, END]),
        (START, [{"type": "http.response.zerocopysend", "file": 3}]),
        (START, [{"type": "http.response.pathsend", "path": "/x"}]),
        (
            {**START, "trailers": True},
            [
                END,
                {"type": "http.response.trailers", "headers": [], "more_trailers": True},
                {"type": "http.response.trailers", "headers": []},
            ],
        ),
    ],
    ids=["body", "zerocopysend", "pathsend", "trailers"],
)
async def test_a_response_ends_with_its_last_message(anyio_backend, start, parts):
    open_after = []

    async def app(scope, receive, send):
        for message in (start, *parts):
            assert scope["allocmeter"].is_open
            await send(message)
        open_after.append(scope["allocmeter"].is_open)

    wrapped, registry = measured(app)
    server = await request(wrapped)
    assert open_after == [False]
    assert server.sent == [start, *parts]
    assert registry.row("GET (unmatched)").errors == 0


# Work that the application hands on


async def test_child_tasks_and_worker_threads_are_charged_to_their_request(anyio_backend):
    async def app(scope, receive, send):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, bytes, 1_000_000)
        await answer(receive, send)

    row = await row_of(app, calls=1)
    assert row.bytes_allocated.max > 1_000_000


async def test_messages_may_be_sent_and_received_by_child_tasks(anyio_backend):
    async def app(scope, receive, send):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            tasks.start_soon(answer, receive, send)
        assert current_scope() is scope["allocmeter"]

    row = await row_of(app)
    assert (row.count, row.errors, row.cancelled) == (20, 0, 0)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_a_task_that_outlives_its_request_does_late_work(anyio_backend):
    tasks = []

    async def work():
        await asyncio.sleep(0)
        bytes(1_000_000)

    async def app(scope, receive, send):
        tasks.append(asyncio.create_task(work()))
        await answer(receive, send)

    wrapped, registry = measured(app)
    await request(wrapped)
    await tasks.pop()
    row = registry.row("GET (unmatched)")
    assert row.bytes_allocated.max < 1_000_000 < row.late_bytes_allocated
