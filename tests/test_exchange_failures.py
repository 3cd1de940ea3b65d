"""What stands between an application and its server, where one of its Python methods raises."""

from __future__ import annotations

import pytest

from exchanges import MESSAGE, Exchange, beginning, driven


@pytest.fixture
def begun():
    with beginning() as begin:
        yield begin


class Failing(Exchange):
    error = ValueError

    def fail(self, *_arguments):
        raise self.error

    sending = sent = refused = asked = received = received_unusual = ended = fail


class Interrupted(Failing):
    error = KeyboardInterrupt


class InterruptedWhileFailing(Failing):
    def failed(self):
        raise KeyboardInterrupt


async def refusing(_message):
    raise OSError("gone")


def outcomes(begun, kind):
    """Return what comes of each call that one of the methods has failed for."""

    def outcome(call):
        try:
            return driven(call())
        except BaseException as error:
            return type(error)

    async def disconnect():
        return {"type": "http.disconnect"}

    async def unusual():
        return None

    end = {"type": "http.response.body"}
    calls = [
        lambda: begun(kind=kind).send({"type": "unknown"}),
        lambda: begun(kind=kind).send(end),
        lambda: begun(kind=kind, plain=False).receive(),
        lambda: begun(disconnect, kind=kind).receive(),
        lambda: begun(unusual, kind=kind).receive(),
    ]
    return [outcome(call) for call in calls]


def left_all(begun, kind):
    class Leaving(kind):
        ended = Exchange.ended

    return outcomes(begun, Leaving)


def test_what_our_methods_raise_is_contained(begun):
    sent = [MESSAGE, MESSAGE, MESSAGE, {"type": "http.disconnect"}, None]
    assert left_all(begun, Failing) == sent


def test_what_nobody_may_catch_is_not_contained(begun):
    assert set(left_all(begun, Interrupted)) == {KeyboardInterrupt}
    assert set(left_all(begun, InterruptedWhileFailing)) == {KeyboardInterrupt}


def test_what_a_refusal_is_answered_with_goes_before_it(begun):
    class Refused(Exchange):
        def refused(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begun(send=refusing, kind=Refused).send(MESSAGE).send(None)
    with pytest.raises(OSError, match="gone"):
        begun(send=refusing).send(MESSAGE).send(None)
