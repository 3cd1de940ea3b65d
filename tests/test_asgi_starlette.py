"""The ASGI middleware names requests to Starlette and FastAPI applications by their routes."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette")
pytest.importorskip("fastapi")

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute

from allocmeter import Registry
from allocmeter.integrations.asgi import AllocationMiddleware
from test_asgi_calls import measured, names_of, request, talk

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000


async def page(request):
    return PlainTextResponse("x")


async def chat(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def api():
    """Return a FastAPI application with routers in routers, each included more than once."""
    items = APIRouter(prefix="/items")

    @items.get("/{number}")
    async def item(number: int):
        return number

    items.add_route("/plain/{x}", page)
    versions = APIRouter(prefix="/store")
    versions.include_router(items)
    app = FastAPI()
    app.include_router(items)
    app.include_router(items, prefix="/v1")
    app.include_router(versions, prefix="/v2/{tenant}")
    return app


def routes():
    return [
        Route("/items/{id}", page),
        Route("/numbers/{id:int}", page, methods=["POST"]),
        Route("/numbers/{id:int}", page, methods=["PUT"]),
        Mount("/static", app=PlainTextResponse("file")),
        Mount(
            "/shop/{tenant}",
            routes=[Route("/cart", page), Mount("/deep", routes=[Route("/{x}", page)])],
        ),
        Mount("/api/{tenant}", app=api()),
        Mount("/wrapped", app=passing(Starlette(routes=[Route("/{x}", page)]))),
        Host("{sub}.example.com", app=Starlette(routes=[Route("/host/{x}", page)])),
        WebSocketRoute("/items/{id}", chat),
    ]


class passing:  # noqa: N801 - reads as a verb
    """Middleware that hides what it is around."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class copying(passing):  # noqa: N801 - reads as a verb
    """Middleware that passes on a copy of the scope, as some do."""

    async def __call__(self, scope, receive, send):
        await self.app(dict(scope), receive, send)


class forgetting(passing):  # noqa: N801 - reads as a verb
    """Leaves no route in the scope, as Starlette did before 1.7."""

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        finally:
            scope.pop("route", None)


PATHS = {
    "/items/3": "GET /items/{id}",
    "/numbers/3": "GET /numbers/{id:int}",  # method not allowed
    "/numbers/three": "GET (unmatched)",
    "/items/3/": "GET (unmatched)",  # redirected
    "/static/a/b.css": "GET /static/{path}",
    "/shop/acme/cart": "GET /shop/{tenant}/cart",
    "/shop/acme/deep/7": "GET /shop/{tenant}/deep/{x}",
    "/shop/acme/nothing": "GET /shop/{tenant}/{path}",
    "/api/acme/items/7": "GET /api/{tenant}/items/{number}",
    "/api/acme/v1/items/7": "GET /api/{tenant}/v1/items/{number}",
    "/api/acme/v2/globex/store/items/7": "GET /api/{tenant}/v2/{tenant}/store/items/{number}",
    "/api/acme/plain/7": "GET /api/{tenant}/plain/{x}",
    "/api/acme/v1/plain/7": "GET /api/{tenant}/v1/plain/{x}",
    "/api/acme/openapi.json": "GET /api/{tenant}/openapi.json",
    "/api/acme/nothing": "GET /api/{tenant}/{path}",
    "/wrapped/7": "GET /wrapped/{x}",
    "/nothing/at/all": "GET (unmatched)",
}

around = pytest.mark.parametrize("around", [passing, copying, forgetting])


@around
@pytest.mark.parametrize(("path", "name"), PATHS.items())
@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_the_name_is_the_template_with_the_prefixes_of_mounts(
    anyio_backend, path, name, around
):
    app = Starlette(routes=routes(), middleware=[Middleware(around)])
    assert await names_of(app, path) == [name]


@around
@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_included_routers_bring_their_prefixes(anyio_backend, around):
    paths = ["/items/1", "/v1/items/1", "/v2/x/store/items/1", "/plain/1", "/docs", "/no"]
    assert await names_of(around(api()), *paths) == [
        "GET /items/{number}",
        "GET /v1/items/{number}",
        "GET /v2/{tenant}/store/items/{number}",
        "GET /plain/{x}",
        "GET /docs",
        "GET (unmatched)",
    ]


@around
@pytest.mark.parametrize("root_path", ["", "/proxied"])
async def test_the_path_that_the_application_is_served_at_is_not_in_the_name(
    anyio_backend, around, root_path
):
    wrapped, registry = measured(Starlette(routes=routes(), middleware=[Middleware(around)]))
    for path in ("/shop/acme/cart", "/items/3"):
        await request(wrapped, root_path + path, root_path=root_path)
    assert sorted(registry) == ["GET /items/{id}", "GET /shop/{tenant}/cart"]


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
async def test_an_application_that_sets_its_own_root_path_is_named_likewise(anyio_backend):
    app = FastAPI(root_path="/proxied")
    app.add_api_route("/items/{id}", lambda id: id)  # noqa: A006
    app.mount("/sub", Starlette(routes=[Route("/{x}", page)]))
    assert await names_of(app, "/items/3", "/sub/x") == ["GET /items/{id}", "GET /sub/{x}"]


async def test_routes_below_a_host_are_named_by_their_paths(anyio_backend):
    wrapped, registry = measured(forgetting(Starlette(routes=routes())))
    host = [(b"host", b"acme.example.com:80")]
    await request(wrapped, "/host/7", headers=host)
    assert list(registry) == ["GET /host/{x}"]


async def test_inside_a_mounted_application_the_whole_template_is_known(anyio_backend):
    registry = Registry()
    inside = Middleware(AllocationMiddleware, registry=registry)
    inner = Starlette(routes=[Route("/{x}", page)], middleware=[inside])
    outer = Starlette(routes=[Mount("/sub/{tenant}", app=inner)])
    await request(outer, "/sub/acme/7")
    await request(outer, "/sub/acme/7/8")
    assert list(registry) == ["GET /sub/{tenant}/{x}", "GET /sub/{tenant}/{path}"]


async def test_routes_that_are_added_while_it_runs_are_named(anyio_backend):
    app = Starlette(routes=[Mount("/sub", routes=[])])
    wrapped, registry = measured(app)
    await request(wrapped, "/sub/later/1")
    app.routes[0].routes.append(Route("/later/{x}", page))
    await request(wrapped, "/sub/later/1")
    assert list(registry) == ["GET /sub/{path}", "GET /sub/later/{x}"]


@around
async def test_a_websocket_is_not_taken_for_the_request_of_the_same_path(anyio_backend, around):
    wrapped, registry = measured(around(Starlette(routes=routes())))
    await talk(wrapped, "hello", path="/items/3")
    assert list(registry) == ["WS /items/{id}"]
