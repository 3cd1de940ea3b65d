"""The ASGI middleware around Litestar, Quart and Django, and around mixtures of frameworks."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("litestar")
pytest.importorskip("quart")
pytest.importorskip("django")
pytest.importorskip("starlette")

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import include, path, re_path
from litestar import Litestar, Router, WebSocket, asgi, get, websocket
from litestar.types import Receive, Scope, Send  # noqa: TC002 - Litestar reads them
from quart import Quart
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from test_asgi_calls import measured, names_of, request, talk

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000


@pytest.fixture
def anyio_backend():
    return "asyncio"  # that all of them run on


def anything(*paths):
    """Return a Starlette application that answers below some paths."""

    async def page(request):
        return PlainTextResponse("x")

    return Starlette(routes=[Route(path, page) for path in paths])


# Litestar


@get("/items/{id:int}")
async def item() -> str:
    return "x"


@get("/thread/{id:int}", sync_to_thread=True)
def in_thread() -> str:
    bytes(MEGABYTE)
    return "x"


@websocket("/chat/{room:str}")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.receive_text()
    await socket.close()


@asgi("/mounted", is_mount=True, copy_scope=False)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    scope["path"] = scope["path"].rstrip("/")
    await anything("/hello/{who}")(scope, receive, send)


@asgi("/copied", is_mount=True, copy_scope=True)
async def copied(scope: Scope, receive: Receive, send: Send) -> None:
    await anything("/{x}")(scope, receive, send)


def litestar():
    return Litestar(
        [item, chat, Router("/api", route_handlers=[item, in_thread, mounted, copied])],
        logging_config=None,
    )


async def test_litestar_is_named_by_its_templates():
    paths = ["/items/3", "/api/items/4", "/api/thread/5", "/nothing", "/items/x"]
    assert await names_of(litestar(), *paths[:4]) == [
        "GET /items/{id}",
        "GET /api/items/{id}",
        "GET /api/thread/{id}",
        "GET (unmatched)",
    ]
    assert await names_of(litestar(), "/items/4", method="DELETE") == ["DELETE (unmatched)"]


async def test_a_mount_in_litestar_is_part_of_the_template():
    paths = ["/api/mounted/hello/bob", "/api/copied/7"]
    assert await names_of(litestar(), *paths) == [
        "GET /api/mounted/hello/{who}",
        "GET /api/copied/{path}",
    ]


async def test_litestar_in_a_mount_has_the_prefix():
    app = Starlette(routes=[Mount("/shop/{tenant}", app=litestar())])
    assert await names_of(app, "/shop/acme/items/3", "/shop/acme/nothing") == [
        "GET /shop/{tenant}/items/{id}",
        "GET /shop/{tenant}/{path}",
    ]


async def test_sync_handlers_of_litestar_are_measured():
    app, registry = measured(litestar())
    await request(app, "/api/thread/5")
    assert registry.row("GET /api/thread/{id}").bytes_allocated.max > MEGABYTE


async def test_websockets_of_litestar_are_named():
    app, registry = measured(litestar())
    await talk(app, "hello", path="/chat/lobby")
    assert list(registry) == ["WS /chat/{room}"]


# Quart


def quart():
    app = Quart(__name__)

    @app.get("/items/<int:id>")
    async def item(id):
        return "x"

    @app.get("/thread/<x>")
    def in_thread(x):
        bytes(MEGABYTE)
        return "x"

    @app.websocket("/chat/<room>")
    async def chat(room):
        await quart_websocket.send(await quart_websocket.receive())

    @app.get("/background")
    async def background():
        app.add_background_task(later)
        return "x"

    async def later():
        await asyncio.sleep(0.01)
        bytes(MEGABYTE)

    return app


async def test_quart_is_named_by_its_rules():
    app = quart()
    paths = ["/items/3", "/thread/x", "/nothing"]
    names = ["GET /items/<int:id>", "GET /thread/<x>", "GET (unmatched)"]
    assert await names_of(app, *paths) == names
    assert await names_of(app.asgi_app, *paths) == names
    assert await names_of(app, "/items/3", method="DELETE") == ["DELETE /items/<int:id>"]


async def test_quart_below_a_root_path_is_named_without_it():
    wrapped, registry = measured(quart())
    await request(wrapped, "/proxied/items/3", root_path="/proxied")
    assert list(registry) == ["GET /items/<int:id>"]


async def test_sync_handlers_of_quart_are_measured():
    app, registry = measured(quart())
    await request(app, "/thread/5")
    row = registry.row("GET /thread/<x>")
    assert row.bytes_allocated.max > MEGABYTE
    assert (row.errors, row.cancelled) == (0, 0)


async def test_a_background_task_of_quart_is_late_work():
    app = quart()
    wrapped, registry = measured(app)
    await request(wrapped, "/background")
    await asyncio.gather(*app.background_tasks)
    row = registry.row("GET /background")
    assert row.bytes_allocated.max < MEGABYTE < row.late_bytes_allocated


async def test_websockets_of_quart_are_named():
    app, registry = measured(quart())
    await talk(app, "hello", path="/chat/lobby")
    assert list(registry) == ["WS /chat/<room>"]


# Django


async def django_item(request, id):
    return HttpResponse("x")


def django_in_thread(request, **found):
    bytes(MEGABYTE)
    return HttpResponse("x")


urlpatterns = [
    path("items/<int:id>/", django_item),
    path("v1/", include([path("thread/<slug:x>", django_in_thread)])),
    re_path(r"^year/(?P<year>[0-9]{4})/$", django_in_thread),
]


@pytest.fixture(scope="module")
def django_app():
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, ROOT_URLCONF=__name__, SECRET_KEY="x"
        )
        django.setup()
    return get_asgi_application()


async def test_django_is_named_by_its_routes(django_app):
    paths = ["/items/3/", "/v1/thread/a-b", "/year/2020/", "/nothing"]
    assert await names_of(django_app, *paths) == [
        "GET /items/<int:id>/",
        "GET /v1/thread/<slug:x>",
        "GET /^year/(?P<year>[0-9]{4})/$",
        "GET (unmatched)",
    ]


async def test_sync_views_of_django_are_measured(django_app):
    app, registry = measured(django_app)
    await request(app, "/v1/thread/a")
    row = registry.row("GET /v1/thread/<slug:x>")
    assert row.bytes_allocated.max > MEGABYTE
    assert (row.errors, row.cancelled) == (0, 0)


async def test_an_application_that_is_mounted_and_unknown_is_named_by_its_mount(django_app):
    app = Starlette(routes=[Mount("/legacy", app=django_app)])
    assert await names_of(app, "/legacy/items/3/") == ["GET /legacy/{path}"]
