"""Exchanges (`_native/exchange.h`) that tests make themselves, and their messages."""

from __future__ import annotations

import contextlib

from allocmeter import measure
from allocmeter._core.types import NativeExchange

MESSAGE = {"type": "http.request"}


class Exchange(NativeExchange):
    def __init__(self):
        self.failures = 0

    def sending(self, message):
        return message

    def sending_unusual(self, message):
        return message

    def sent(self):
        pass

    def refused(self):
        pass

    def asked(self):
        pass

    def received(self, message):
        pass

    def received_unusual(self, message):
        pass

    def ended(self, error):
        self._scope._close(error)

    def failed(self):
        self.failures += 1


class Pause:
    def __await__(self):
        yield "paused"


async def server(*_message):
    await Pause()
    return MESSAGE


def beginning_with(receive=server, send=server, *, plain=True):
    """Return the arguments of `_begin`."""
    asgi_scope = {"type": "http", "path": "/", "root_path": ""}
    notable = frozenset({"http.disconnect"})
    return measure(), asgi_scope, "GET", receive, send, notable, plain, None


@contextlib.contextmanager
def beginning():
    """Give a function that begins exchanges; all of them are left at the end."""
    exchanges = []

    def begin(receive=server, send=server, *, kind=Exchange, plain=True):
        exchange = kind()
        exchange._begin(*beginning_with(receive, send, plain=plain))
        exchanges.append(exchange)
        return exchange

    yield begin
    for exchange in reversed(exchanges):
        exchange.leave(None)


def driven(crossing):
    while True:
        try:
            assert crossing.send(None) == "paused"
        except StopIteration as stop:
            return stop.value
