"""What stands between an application and its server, awaited and stepped in every wrong way."""

from __future__ import annotations

import threading

import pytest

from allocmeter._core.figures import current_scope
from exchanges import MESSAGE, Exchange, Pause, beginning, driven, server

EXECUTING = "already executing"
USED = "cannot reuse already awaited"


@pytest.fixture(autouse=True)
def _outside_of_every_scope():
    yield
    assert current_scope() is None


@pytest.fixture
def begun():
    with beginning() as begin:
        yield begin


class Iterator:
    """An awaitable that is its own iterator, and whose `throw` does as it is told."""

    def __init__(self, thrown):
        self.thrown = thrown

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return "paused"

    def throw(self, *_exception):
        raise self.thrown


def test_a_step_within_the_call_of_the_server_is_refused(begun):
    def receive():
        return crossing.send(None)

    crossing = begun(receive).receive()
    with pytest.raises(ValueError, match=EXECUTING):
        crossing.send(None)
    with pytest.raises(RuntimeError, match=USED):
        crossing.send(None)


@pytest.mark.parametrize("step", ["send", "throw", "close"])
def test_a_step_within_a_step_is_refused_and_does_no_harm(begun, step):
    async def receive():
        arguments = {"send": [None], "throw": [KeyError()], "close": []}[step]
        with pytest.raises(ValueError, match=EXECUTING):
            getattr(crossing, step)(*arguments)
        return MESSAGE

    crossing = begun(receive).receive()
    assert driven(crossing) is MESSAGE


def test_another_thread_may_not_step_meanwhile(begun):
    async def receive():
        thread.start()
        thread.join()
        return MESSAGE

    def step():
        try:
            crossing.send(None)
        except ValueError as error:
            errors.append(error)

    errors = []
    thread = threading.Thread(target=step)
    crossing = begun(receive).receive()
    assert driven(crossing) is MESSAGE
    assert len(errors) == 1


def test_a_second_awaiter_is_refused_and_the_first_goes_on(begun):
    async def wait():
        return await crossing

    crossing = begun().receive()
    first, second = wait(), wait()
    assert first.send(None) == "paused"
    with pytest.raises(RuntimeError, match="being awaited already"):
        second.send(None)
    with pytest.raises(StopIteration):
        first.send(None)


def test_what_is_done_cannot_be_stepped_again(begun):
    crossing = begun().receive()
    assert driven(crossing) is MESSAGE
    with pytest.raises(RuntimeError, match=USED):
        crossing.send(None)
    with pytest.raises(KeyError):
        crossing.throw(KeyError())
    crossing.close()


def test_something_sent_to_begin_with_is_refused(begun):
    coroutine = server()
    with pytest.raises(TypeError, match="just-started coroutine"):
        begun(lambda: coroutine).receive().send(1)
    coroutine.close()


def test_an_exception_before_the_first_step_is_raised_and_ends_it(begun):
    crossing = begun().send(MESSAGE)
    with pytest.raises(KeyError):
        crossing.throw(KeyError, None, None)
    with pytest.raises(RuntimeError, match=USED):
        crossing.send(None)


def test_what_is_no_exception_cannot_be_thrown(begun):
    with pytest.raises((TypeError, SystemError)):
        begun().receive().throw(5)


@pytest.mark.parametrize("value", ["of an initialiser that sets none", "deleted"])
def test_an_end_without_a_value_returns_none(begun, value):
    class Stop(StopIteration):
        def __init__(self):
            pass

    stop = Stop()
    if value == "deleted":
        stop = StopIteration(5)
        del stop.value
    crossing = begun(lambda: Iterator(stop)).receive()
    assert next(crossing) == "paused"
    with pytest.raises(StopIteration) as raised:
        crossing.throw(KeyError())
    assert raised.value.value is None


def test_closing_is_what_a_coroutine_does_when_it_is_closed(begun):
    seen = []

    async def receive():
        try:
            await Pause()
        finally:
            seen.append(current_scope())

    exchange = begun(receive)
    crossing = exchange.receive()
    crossing.send(None)
    crossing.close()
    crossing.close()
    assert seen == [None]
    assert current_scope() is exchange._scope


def test_a_coroutine_that_goes_on_when_it_is_closed_is_reported(begun):
    async def receive():
        try:
            await Pause()
        except GeneratorExit:
            await Pause()

    crossing = begun(receive).receive()
    crossing.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        crossing.close()


@pytest.mark.parametrize("awaitable", [5, None, iter([])])
def test_what_cannot_be_awaited_is_a_type_error(begun, awaitable):
    class Wrong:
        def __await__(self):
            return 5

    for receive in (lambda: awaitable, Wrong):
        with pytest.raises(TypeError):
            begun(receive).receive().send(None)


def test_nothing_works_before_the_beginning():
    for step in (Exchange().receive, lambda: Exchange().send({}), lambda: Exchange().leave(None)):
        with pytest.raises(RuntimeError, match="has not begun"):
            step()


def test_a_message_may_change_while_it_is_looked_at(begun):
    class Type:
        def __hash__(self):
            message.clear()
            return hash("http.disconnect")

        def __eq__(self, other):
            return False

    class Flag:
        def __bool__(self):
            start["status"] = 0
            return True

    async def receive():
        return message

    message = {}
    message["type"] = Type()
    start = {"type": "http.response.start", "status": int("7" * 7), "trailers": Flag()}
    assert driven(begun(receive).receive()) is message
    assert driven(begun().send(start)) is MESSAGE
