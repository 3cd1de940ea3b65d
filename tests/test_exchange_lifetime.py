"""What stands between an application and its server, dropped at any moment and anywhere."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import random
import threading
import weakref

import pytest

from allocmeter import Registry, backend_info, detached, measure
from allocmeter._core.figures import current_scope
from exchanges import MESSAGE, Exchange, Pause, begun_by, driven


class Named(Exchange):
    """Can be watched for when it goes."""


def begin():
    return begun_by(Named)


def in_a_context_of_its_own(function):
    return contextvars.Context().run(function)


def nothing_is_left(exchanges):
    gc.collect()
    return [reference() for reference in exchanges] == [None] * len(exchanges)


def test_an_exchange_that_is_left_in_the_midst_of_a_call_goes():
    def leave():
        exchange = begin()
        crossing = exchange.receive()
        crossing.send(None)
        exchange.leave(None)
        crossing.close()
        return weakref.ref(exchange)

    in_a_context_of_its_own(leave)  # the first scope brings modules
    before = len(gc.get_objects())
    left = [in_a_context_of_its_own(leave) for _ in range(100)]
    assert nothing_is_left(left)
    del left
    assert len(gc.get_objects()) < before + 50


def test_a_call_that_nobody_goes_on_with_goes():
    def abandon():
        exchange = begin()
        crossing = exchange.send(MESSAGE)
        crossing.send(None)
        return weakref.ref(exchange)

    assert nothing_is_left([in_a_context_of_its_own(abandon) for _ in range(100)])
    assert backend_info().open_scopes == 0


def test_a_cycle_through_the_call_goes():
    def make_cycle():
        exchange = begin()
        exchange.cycle = exchange.receive()
        exchange.cycle.send(None)
        return weakref.ref(exchange)

    assert nothing_is_left([in_a_context_of_its_own(make_cycle) for _ in range(100)])


@pytest.mark.parametrize("enter", ["measure", "detached", "both", "elsewhere"])
def test_a_scope_that_the_server_has_entered_in_such_a_call_goes_with_it(enter):
    """The scope keeps the call, which was current before it, and that keeps the scope."""
    entered = {
        "measure": lambda: [measure("server")],
        "detached": lambda: [detached()],
        "both": lambda: [detached(), measure("server"), measure("inner")],
        "elsewhere": lambda: [Resumed(), measure("server")],
    }[enter]

    async def server(*_message):
        with contextlib.ExitStack() as stack:
            for scope in entered():
                stack.enter_context(scope)
            await Pause()

    def abandon():
        exchange = begun_by(Named, server, server)
        exchange.receive().send(None)
        return weakref.ref(exchange)

    before = backend_info()
    left = [in_a_context_of_its_own(abandon) for _ in range(100)]
    assert nothing_is_left(left)
    left.clear()  # made in the scopes
    assert backend_info().open_scopes == before.open_scopes
    assert backend_info().scopes_kept <= before.scopes_kept + 1


class Resumed:
    """A scope that was left in another context, and so is entered by a stand-in."""

    def __enter__(self):
        self.scope = measure("resumed")
        self.scope._open()
        in_a_context_of_its_own(self.scope._resume)
        self.scope._suspend()
        self.scope._resume()

    def __exit__(self, *_error):
        self.scope._suspend()
        self.scope._close(None)


def test_a_cycle_through_a_scope_goes():
    class Registered(Registry):
        pass

    class Named(measure):
        pass

    def make_cycle():
        registry = Registered()
        scope = Named("cycle", registry=registry)
        scope.itself, registry.scope = scope, scope
        with scope:
            pass
        return weakref.ref(registry), weakref.ref(scope)

    gone = [in_a_context_of_its_own(make_cycle) for _ in range(100)]
    gc.collect()
    assert {reference() for pair in gone for reference in pair} == {None}


def test_a_call_may_be_dropped_by_another_thread_and_in_another_context():
    def suspend():
        exchange = begin()
        crossings.append(exchange.receive())
        crossings[-1].send(None)
        return exchange

    def end(how):
        while crossings:
            crossing = crossings.pop()
            if how == "close":
                crossing.close()
            elif how == "step":
                ended.append(driven(crossing))

    crossings, ended = [], []
    for how in ("close", "step", "drop"):
        context = contextvars.Context()
        exchange = context.run(suspend)
        thread = threading.Thread(target=end, args=[how])
        thread.start()
        thread.join()
        assert current_scope() is None
        context.run(exchange.leave, None)
        assert context.run(current_scope) is None
    assert ended == [MESSAGE]


class Hostile:
    """Does any step at random, on any call there is."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.contexts = [contextvars.Context() for _ in range(4)]
        self.exchanges = []
        self.crossings = []
        self.all = []

    async def server(self, *_message):
        for _ in range(self.random.randrange(3)):
            if self.random.random() < 0.1:
                self.step()
            await Pause()
        if self.random.random() < 0.1:
            raise self.random.choice([OSError, ValueError, RuntimeError, GeneratorExit])
        return {"type": self.random.choice(["http.request", "http.disconnect", 5])}

    def begin(self):
        exchange = begun_by(Named, self.server, self.server)
        self.exchanges.append(exchange)
        self.all.insert(0, lambda: exchange.leave(None))

    def ask(self):
        exchange = self.random.choice(self.exchanges)
        message = {"type": "http.response.body", "more_body": self.random.random() < 0.5}
        crossing = exchange.send(message) if self.random.random() < 0.5 else exchange.receive()
        self.crossings.append(crossing)
        self.all.insert(0, crossing.close)

    def go_on(self):
        crossing = self.random.choice(self.crossings)
        self.random.choice(
            [
                lambda: crossing.send(None),
                lambda: crossing.send(None),
                lambda: crossing.throw(self.random.choice([ValueError, OSError, GeneratorExit])),
                crossing.close,
                lambda: self.crossings.remove(crossing),
            ]
        )()

    def leave(self):
        exchange = self.random.choice(self.exchanges)
        exchange.leave(None)
        if self.random.random() < 0.5:
            self.exchanges.remove(exchange)

    def step(self):
        action = self.random.choice([self.begin, self.ask, self.ask, *[self.go_on] * 6, self.leave])
        self.run(self.random.choice(self.contexts), action)

    def run(self, context, action):
        try:
            context.run(action)
        except (RuntimeError, IndexError, TypeError):
            pass  # refused; or there is nothing to do it with
        except (ValueError, OSError, StopIteration, GeneratorExit):
            pass  # what the server raised, or returned

    def end(self):
        while self.all:
            self.run(self.random.choice(self.contexts), self.all.pop(0))


def test_no_sequence_of_steps_does_harm():
    before = backend_info().open_scopes
    for seed in range(20):
        hostile = Hostile(seed)
        for _ in range(500):
            hostile.step()
        hostile.end()
        del hostile
    gc.collect()
    assert current_scope() is None
    assert backend_info().open_scopes == before
