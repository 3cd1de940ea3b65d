"""Which requests the ASGI middleware counts as failed, and which as cancelled."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from allocmeter._core.figures import current_scope
from serving import outcome
from test_asgi_calls import END, GONE, START, Server, answer, http_scope, measured, request

pytestmark = pytest.mark.anyio


async def outcome_of(app, server=None):
    wrapped, registry = measured(app)
    server = server or Server(GONE)
    raised = None
    try:
        await wrapped(http_scope(), server.receive, server.send)
    except Exception as error:
        raised = error
    row = registry.row("GET (unmatched)")
    assert row.count == 1
    return row.errors, row.cancelled, raised


async def test_an_application_that_raises_has_failed(anyio_backend):
    error = ValueError()

    async def app(scope, receive, send):
        raise error

    assert await outcome_of(app) == (1, 0, error)


async def test_an_answer_of_500_or_above_is_a_failure_and_below_it_is_none(anyio_backend):
    def answering(status):
        async def app(scope, receive, send):
            await send({**START, "status": status})
            await send(END)

        return app

    assert await outcome_of(answering(500)) == (1, 0, None)
    assert await outcome_of(answering(503)) == (1, 0, None)
    assert await outcome_of(answering(404)) == (0, 0, None)


async def test_an_answer_that_was_not_finished_is_a_failure(anyio_backend):
    async def app(scope, receive, send):
        await send(START)

    assert await outcome_of(app) == (1, 0, None)


async def test_a_client_that_goes_away_in_the_middle_is_a_cancellation(anyio_backend):
    async def app(scope, receive, send):
        await send(START)
        assert (await receive())["type"] == "http.disconnect"

    assert await outcome_of(app) == (0, 1, None)


async def test_a_server_that_raises_because_the_client_is_gone_means_a_cancellation(anyio_backend):
    error = ConnectionResetError()

    class Gone(Server):
        async def send(self, message):
            raise error

    async def app(scope, receive, send):
        await send(START)

    assert await outcome_of(app, Gone()) == (0, 1, error)


async def test_a_last_message_that_the_server_has_is_the_end_whoever_stops_waiting(anyio_backend):
    class Slow(Server):
        async def send(self, message):
            await super().send(message)
            if message is END:
                await anyio.sleep_forever()

    async def app(scope, receive, send):
        with anyio.move_on_after(0.01):
            await answer(receive, send)
        await receive()

    assert await outcome_of(app, Slow(GONE)) == (0, 0, None)


async def test_a_client_that_goes_away_does_not_hide_an_error(anyio_backend):
    error = ValueError()

    async def app(scope, receive, send):
        await receive()
        raise error

    assert await outcome_of(app) == (1, 0, error)


async def test_a_cancelled_request_counts_as_such(anyio_backend):
    async def app(scope, receive, send):
        await send(START)
        await anyio.sleep_forever()

    wrapped, registry = measured(app)
    with anyio.move_on_after(0.01):
        await request(wrapped)
    row = registry.row("GET (unmatched)")
    assert (row.count, row.errors, row.cancelled) == (1, 0, 1)
    assert current_scope() is None


class ClientDisconnect(Exception):  # noqa: N818 - as Starlette calls its own
    """What frameworks raise where the body of a request does not come to its end."""


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (500, ClientDisconnect(), (1, 0, 1)),  # Starlette
        (400, None, (1, 0, 1)),  # FastAPI
        (500, BaseExceptionGroup("", [OSError(), ClientDisconnect()]), (1, 0, 1)),
        (500, ZeroDivisionError(), (1, 1, 0)),
        (500, ExceptionGroup("", [OSError(), ZeroDivisionError()]), (1, 1, 0)),
        (500, None, (1, 1, 0)),
        (200, None, (1, 0, 0)),
    ],
)
async def test_an_answer_that_nobody_waits_for_is_judged_by_why_it_is_given(
    anyio_backend, status, error, expected
):
    async def app(scope, receive, send):
        assert (await receive()) is GONE
        await send({**START, "status": status})
        await send(END)
        if error is not None:
            raise error

    wrapped, registry = measured(app)
    server = Server(GONE)
    with contextlib.suppress(type(error) if error else ()):
        await wrapped(http_scope(), server.receive, server.send)
    assert outcome(registry, "GET (unmatched)") == expected
