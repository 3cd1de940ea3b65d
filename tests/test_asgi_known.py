"""Names that are known from an earlier request: each is still that of its own route and method."""

from __future__ import annotations

import random
from collections import Counter

import pytest

pytest.importorskip("starlette")
pytest.importorskip("fastapi")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from allocmeter import Registry
from allocmeter.integrations import _asgi_measuring
from allocmeter.integrations._asgi_measuring import Measuring
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import measured, request
from test_asgi_starlette import PATHS, api, copying, forgetting, passing, routes

around = pytest.mark.parametrize("around", [passing, copying, forgetting])
pytestmark = pytest.mark.anyio


async def page(request):
    return PlainTextResponse("x")


def counts(registry):
    return {row.name: row.count for row in registry.report().rows}


@around
async def test_whatever_was_asked_for_before(anyio_backend, around):
    wrapped, registry = measured(Starlette(routes=routes(), middleware=[Middleware(around)]))
    paths = list(PATHS) * 4
    random.Random(4).shuffle(paths)
    for path in paths:
        await request(wrapped, path)
    assert counts(registry) == Counter(PATHS[path] for path in paths)


@around
async def test_in_included_routers_of_fastapi(anyio_backend, around):
    wrapped, registry = measured(around(api()))
    for _ in range(3):
        for path in ("/items/1", "/v1/items/1", "/v2/x/store/items/1", "/plain/1"):
            await request(wrapped, path)
    assert counts(registry) == {
        "GET /items/{number}": 3,
        "GET /v1/items/{number}": 3,
        "GET /v2/{tenant}/store/items/{number}": 3,
        "GET /plain/{x}": 3,
    }


async def test_one_route_has_a_name_for_each_method(anyio_backend):
    wrapped, registry = measured(Starlette(routes=[Route("/a", page, methods=["GET", "POST"])]))
    for method in ("GET", "POST", "HEAD", "GET", "POST", "HEAD"):
        await request(wrapped, "/a", method)
    assert counts(registry) == {"GET /a": 2, "POST /a": 2, "HEAD /a": 2}


async def test_one_route_in_two_mounts_has_two_names(anyio_backend):
    inner = Starlette(routes=[Route("/{x}", page)])
    wrapped, registry = measured(Starlette(routes=[Mount("/a", inner), Mount("/b", inner)]))
    for path in ("/a/1", "/b/1", "/a/1", "/b/1"):
        await request(wrapped, path)
    assert counts(registry) == {"GET /a/{x}": 2, "GET /b/{x}": 2}


async def test_a_function_that_names_requests_is_asked_each_time(anyio_backend):
    app = Starlette(routes=[Route("/{x}", page)])
    wrapped, registry = measured(app, name=lambda scope: scope["path"])
    for path in ("/1", "/2", "/1"):
        await request(wrapped, path)
    assert counts(registry) == {"/1": 2, "/2": 1}


async def test_names_beyond_the_cap_share_one_each_time(anyio_backend):
    app = Starlette(routes=[Route(f"/{n}", page) for n in range(3)])
    wrapped, registry = measured(app, max_names=1)
    for path in ("/0", "/1", "/2", "/0", "/1", "/2"):
        await request(wrapped, path)
    assert counts(registry) == {"GET /0": 2, "(other)": 4}


async def test_after_a_reset_the_rows_begin_anew(anyio_backend):
    wrapped, registry = measured(Starlette(routes=[Route("/a", page)]))
    for _ in range(2):
        for _ in range(3):
            await request(wrapped, "/a")
        assert counts(registry) == {"GET /a": 3}
        registry.reset()


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_an_ordinary_request_is_named_without_python(anyio_backend, monkeypatch):
    wrapped, registry = measured(Starlette(routes=[Route("/a", page)]))
    await request(wrapped, "/a")

    def fail(*arguments):
        raise AssertionError("asked for a name that was known")

    monkeypatch.setattr(Measuring, "name_of", fail)
    await request(wrapped, "/a")
    assert counts(registry) == {"GET /a": 2}


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_an_application_that_makes_routes_all_the_time_has_only_some_kept(
    anyio_backend, monkeypatch
):
    monkeypatch.setattr(_asgi_measuring, "_MOST_KNOWN", 5)
    app = Starlette(routes=[])
    registry = Registry()
    wrapped = AllocationMiddleware(app, registry=registry)
    for _ in range(20):
        app.router.routes[:] = [Route("/a", page)]
        await request(wrapped, "/a")
    assert counts(registry) == {"GET /a": 20}
    assert len(wrapped._measuring.known) == 5


async def test_a_failure_is_told_from_a_success_of_the_same_route(anyio_backend):
    async def page(request):
        return PlainTextResponse("x", status_code=int(request.path_params["status"]))

    wrapped, registry = measured(Starlette(routes=[Route("/{status}", page)]))
    for status in (200, 404, 500, 200, 503):
        await request(wrapped, f"/{status}")
    row = registry.row("GET /{status}")
    assert (row.count, row.errors, row.cancelled) == (5, 2, 0)
