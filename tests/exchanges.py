"""Exchanges (`_native/exchange.h`) that tests make themselves, and their messages."""

from __future__ import annotations

import contextlib

from allocmeter import measure
from allocmeter._core.types import NativeEntrance, NativeExchange

MESSAGE = {"type": "http.request"}


class Exchange(NativeExchange):
    failures = 0

    def prepare(self):
        pass

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


class Measuring:
    """What an entrance asks of the middleware's side."""

    scope_class = measure
    registry = None
    known = None

    def __init__(self):
        self.switch = self
        self.on = True

    def give_up(self):
        self.on = False


METHODS = {"GET": ("GET", None), None: ("(other)", None)}


def entrance(kind=Exchange, *, plain=True, measuring=None, excluded=None):
    kinds = {"http": (kind, frozenset({"http.disconnect"}), plain, None)}
    return NativeEntrance(kinds, METHODS, measuring or Measuring(), excluded)


def begun_by(kind, receive=server, send=server, *, plain=True):
    """Return an exchange whose scope is current; `leave` it."""
    asgi_scope = {"type": "http", "method": "GET", "path": "/", "root_path": ""}
    return entrance(kind, plain=plain)(asgi_scope, receive, send)


@contextlib.contextmanager
def beginning():
    """Give a function that begins exchanges; all of them are left at the end."""
    exchanges = []

    def begin(receive=server, send=server, *, kind=Exchange, plain=True):
        exchange = begun_by(kind, receive, send, plain=plain)
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
