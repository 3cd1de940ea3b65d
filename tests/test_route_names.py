"""The table of names that requests get natively."""

from __future__ import annotations

import gc
import random
import weakref

import pytest

from allocmeter._core.types import NativeEntrance, NativeRouteNames
from exchanges import METHODS, Exchange, Measuring, driven, entrance, server

GET, POST = "GET", "POST"


class Route:
    path = "/x"


def name_of(known, asgi_scope):
    """Return the name that a request gets which ends well."""
    measuring = Measuring()
    measuring.known = known
    scope = {"type": "http", "method": GET, **asgi_scope}
    exchange = NativeEntrance(
        {"http": (Exchange, frozenset(), True, None)},
        {GET: (GET, "unknown"), POST: (POST, "unknown"), None: ("(other)", "unknown")},
        measuring,
        None,
    )(scope, server, server)
    driven(exchange.send({"type": "http.response.start", "status": 200}))
    driven(exchange.send({"type": "http.response.body"}))
    exchange.leave(None)
    return exchange._scope.name


def test_names_are_found_by_identity_in_any_number():
    known = NativeRouteNames(10_000)
    routes = [Route() for _ in range(1_000)]
    inclusions = [None, Route()]
    for i, route in enumerate(routes):
        for j, inclusion in enumerate(inclusions):
            for method in (GET, POST):
                assert known.add(route, inclusion, method, f"{method} {i} {j}")
    assert len(known) == 4_000
    chosen = random.Random(4)
    for _ in range(200):
        i, j = chosen.randrange(1_000), chosen.randrange(2)
        method = chosen.choice([GET, POST])
        scope = {"route": routes[i], "method": method}
        if inclusions[j] is not None or chosen.random() < 0.5:
            scope["fastapi"] = {"effective_route_context": inclusions[j]}
        assert name_of(known, scope) == f"{method} {i} {j}"


@pytest.mark.parametrize(
    "more",
    [
        {"path_template": "/a"},
        {"app_root_path": ""},
        {"fastapi": {"effective_route_context": Route()}},
        {"fastapi": None},
        {"route": Route()},
        {"method": POST},
    ],
    ids=["template", "mount", "inclusion", "odd", "route", "method"],
)
def test_what_may_have_another_name_is_not_given_it(more):
    known = NativeRouteNames(10)
    route = Route()
    known.add(route, None, GET, "GET /x")
    assert name_of(known, {"route": route}) == "GET /x"
    assert name_of(known, {"route": route, **more}) == "unknown"


def test_it_keeps_no_more_than_agreed_and_goes_on_replacing():
    known = NativeRouteNames(2)
    routes = [Route() for _ in range(3)]
    added = [known.add(route, None, GET, str(i)) for i, route in enumerate(routes)]
    assert (added, len(known)) == ([True, True, False], 2)
    assert known.add(routes[0], None, GET, "changed")
    assert name_of(known, {"route": routes[0]}) == "changed"


def test_what_it_keeps_may_lead_back_to_it():
    route = Route()
    known = NativeRouteNames(5)
    known.add(route, route, GET, "x")
    route.known, gone = known, weakref.ref(route)
    del route, known
    gc.collect()
    assert gone() is None


def test_an_entrance_is_made_of_what_it_can_use():
    kind = (Exchange, frozenset(), True, None)
    for kinds, methods in (
        ({"http": (object, frozenset(), True, None)}, METHODS),
        ({"http": (Exchange, set(), True, None)}, METHODS),
        ({"http": (Exchange, frozenset(), True, "WS")}, METHODS),
        ({"http": kind[:3]}, METHODS),
        ({"http": kind}, {"GET": ("GET", "GET /")}),
        ({"http": kind}, {None: "other"}),
    ):
        with pytest.raises(TypeError, match="made of other things"):
            NativeEntrance(kinds, methods, Measuring(), None)
    with pytest.raises(TypeError):
        entrance()({}, server)
    with pytest.raises(TypeError):
        entrance()(asgi_scope={}, receive=server, send=server)


def test_a_method_of_http_only_stands_in_a_name():
    for method in (GET, "WS", "get", None, 5, ["GET"]):
        exchange = entrance()({"type": "http", "method": method}, server, server)
        assert exchange._method == (GET if method is GET else "(other)")
        exchange.leave(None)


class Broken(Measuring):
    @property
    def on(self):
        raise self.error

    @on.setter
    def on(self, value):
        pass


def test_what_nobody_may_catch_comes_through_the_beginning():
    measuring = Broken()
    measuring.error = LookupError
    assert entrance(measuring=measuring)({"type": "http"}, server, server) is None
    measuring.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        entrance(measuring=measuring)({"type": "http"}, server, server)
