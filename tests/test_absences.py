"""Scopes that are set aside while the server works: by changing mappings, and by setting."""

from __future__ import annotations

import contextvars

import pytest

from allocmeter import measure
from allocmeter._core.figures import current_scope
from allocmeter._core.types import native
from exchanges import MESSAGE, Exchange, Pause, begun_by, driven

VARIABLE = contextvars.ContextVar("of_the_program", default="nothing")
OTHER = contextvars.ContextVar("another_of_the_program", default="nothing")


@pytest.fixture(params=[1, 0], ids=["by changing mappings", "by setting"], autouse=True)
def _mappings(request):
    before = native().am_exchange_mappings(request.param)
    assert before == 1  # this interpreter is understood
    yield
    native().am_exchange_mappings(before)


def in_a_context(function):
    """Run it in a new context, and return that."""
    context = contextvars.Context()
    context.run(function)
    return context


class Ended(Exchange):
    """One whose scope is closed before it is left, as that of an ordinary request."""

    def sent(self):
        self._scope._close(None)


END = {"type": "http.response.body"}


def test_an_exchange_leaves_nothing_but_what_the_program_set():
    def serve():
        exchange = begun_by(Ended)
        VARIABLE.set("by the application")
        driven(exchange.send(END))
        assert current_scope() is exchange._scope
        OTHER.set("after the response")
        exchange.leave(None)
        assert current_scope() is None

    values = {variable.name: value for variable, value in in_a_context(serve).items()}
    assert values.pop("allocmeter_scope", None) is None
    assert values == {
        "of_the_program": "by the application",
        "another_of_the_program": "after the response",
    }


@pytest.mark.parametrize("before", [True, False])
def test_what_either_side_sets_is_seen_by_both(before):
    async def send(_message):
        seen.append(VARIABLE.get())
        VARIABLE.set("by the server")
        await Pause()
        seen.append(VARIABLE.get())

    def serve():
        if before:
            VARIABLE.set("before")
        exchange = begun_by(Ended, send=send)
        for value in ("first", "second"):
            seen.append(VARIABLE.get())
            token = VARIABLE.set(value)
            call = exchange.send(MESSAGE)
            assert call.send(None) == "paused"
            seen.append(VARIABLE.get())
            driven(call)
            assert current_scope() is exchange._scope
            seen.append(VARIABLE.get())
            VARIABLE.reset(token)
        driven(exchange.send(END))
        exchange.leave(None)
        seen.append(VARIABLE.get())

    seen = []
    in_a_context(serve)
    was = "before" if before else "nothing"
    server = "by the server"
    assert seen == [
        *[was, "first", server, server, server],
        *[was, "second", server, server, server],
        *[was, server, server],
    ]


def test_a_context_copied_within_a_call_has_the_programs_values_and_no_scope():
    copies = []

    async def send(_message):
        copies.append(contextvars.copy_context())
        VARIABLE.set("by the server")
        copies.append(contextvars.copy_context())

    def serve():
        exchange = begun_by(Ended, send=send)
        VARIABLE.set("by the application")
        driven(exchange.send(MESSAGE))
        copies.append(contextvars.copy_context())
        driven(exchange.send(END))
        exchange.leave(None)

    in_a_context(serve)
    first, second, after, *_ = copies
    assert [copy.run(VARIABLE.get) for copy in (first, second, after)] == [
        "by the application",
        "by the server",
        "by the server",
    ]
    assert first.run(current_scope) is second.run(current_scope) is None
    assert after.run(current_scope) is not None


def test_a_scope_around_a_call_is_current_again_after_each_step():
    async def send(_message):
        seen.append(current_scope())
        await Pause()
        seen.append(current_scope())

    def serve():
        exchange = begun_by(Ended, send=send)
        with measure() as inner:
            call = exchange.send(MESSAGE)
            call.send(None)
            assert current_scope() is inner
            driven(call)
            assert current_scope() is inner
        assert current_scope() is exchange._scope
        driven(exchange.send(END))
        exchange.leave(None)

    seen = []
    in_a_context(serve)
    assert seen == [None] * 4


def test_a_scope_of_the_servers_is_found_again_when_it_goes_on():
    async def send(_message):
        with measure() as around:
            await Pause()
            seen.append((current_scope(), around))
            await Pause()
            seen.append((current_scope(), around))
        seen.append((current_scope(), None))

    def serve():
        exchange = begun_by(Ended, send=send)
        call = exchange.send(END)
        for _ in range(2):
            call.send(None)
            assert current_scope() is exchange._scope
        driven(call)
        assert current_scope() is exchange._scope
        exchange.leave(None)
        assert current_scope() is None

    seen = []
    in_a_context(serve)
    assert len(seen) == 3
    assert all(found is expected for found, expected in seen)


def test_a_call_may_go_on_in_another_context():
    def begin():
        exchange = begun_by(Ended)
        call = exchange.send(END)
        call.send(None)
        begun.extend((exchange, call))

    begun = []
    first = in_a_context(begin)
    exchange, call = begun
    with measure() as elsewhere:
        driven(call)
        assert current_scope() is elsewhere
    assert first.run(current_scope) is exchange._scope
    first.run(exchange.leave, None)
    assert first.run(current_scope) is None


def test_a_task_that_inherited_the_scope_may_call_the_server():
    async def send(_message):
        seen.append(current_scope())
        await Pause()

    def serve():
        exchange = begun_by(Ended, send=send)
        task = contextvars.copy_context()
        task.run(driven, exchange.send(MESSAGE))
        assert task.run(current_scope) is exchange._scope
        driven(exchange.send(END))
        exchange.leave(None)
        assert current_scope() is None
        assert task.run(current_scope) is exchange._scope

    seen = []
    in_a_context(serve)
    assert seen == [None, None]


def test_an_exchange_that_is_left_in_a_copy_of_its_context_is_left_in_its_own():
    def serve():
        exchange = begun_by(Ended)
        driven(exchange.send(END))
        contextvars.copy_context().run(exchange.leave, None)
        assert current_scope() is None

    in_a_context(serve)


def test_two_calls_at_once_do_not_disturb_each_other():
    def serve():
        exchange = begun_by(Ended)
        calls = [exchange.receive(), exchange.send(MESSAGE), exchange.receive()]
        for call in calls:
            call.send(None)
            VARIABLE.set(call)
        for call in (calls[1], calls[0], calls[2]):
            driven(call)
            assert current_scope() is exchange._scope
        assert VARIABLE.get() is calls[2]
        exchange.leave(None)

    in_a_context(serve)


def test_an_exchange_within_a_scope_gives_that_back():
    def serve():
        with measure() as around:
            exchange = begun_by(Ended)
            driven(exchange.send(END))
            exchange.leave(None)
            assert current_scope() is around

    in_a_context(serve)


@pytest.mark.parametrize("error", [KeyError, GeneratorExit, KeyboardInterrupt])
def test_an_exception_at_any_step_ends_the_absence(error):
    async def send(_message):
        await Pause()
        VARIABLE.set("by the server")
        raise error

    def serve():
        exchange = begun_by(Ended, send=send)
        for end in (
            driven,
            lambda call: call.throw(error()),
            lambda call: call.send(None),
        ):
            call = exchange.send(MESSAGE)
            assert call.send(None) == "paused"
            with pytest.raises(error):
                end(call)
            assert current_scope() is exchange._scope
        exchange.leave(None)

    in_a_context(serve)
