"""What requests of an aiohttp server are called, and which of them are measured."""

from __future__ import annotations

import re

import pytest

from allocmeter.integrations.aiohttp import allocation_middleware
from serving import _registry, complaints  # noqa: F401
from test_aiohttp import application, get, greet, serving

aiohttp = pytest.importorskip("aiohttp")
from aiohttp import web  # noqa: E402

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Items(web.View):
    async def get(self):
        return web.Response(text="hello")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "GET /"),
        ("/users/17", "GET /users/{name}"),
        ("/users/17?page=2", "GET /users/{name}"),
        ("/numbers/17", "GET /numbers/{number}"),
        ("/files/a/b/c", "GET /files/{path}"),
        ("/items", "GET /items"),
        ("/mounted/users/17", "GET /mounted/users/{name}"),
        ("/mounted", "GET (unmatched)"),
        ("/numbers/seventeen", "GET (unmatched)"),
        ("/posted", "GET (unmatched)"),
    ],
)
async def test_a_request_is_named_after_its_method_and_route(path, name, registry):
    app = application(
        registry,
        [
            web.get("/", greet),
            web.get("/users/{name}", greet),
            web.get(r"/numbers/{number:\d+}", greet),
            web.get("/files/{path:.*}", greet),
            web.post("/posted", greet),
            web.view("/items", Items),
        ],
    )
    mounted = web.Application()
    mounted.add_routes([web.get("/users/{name}", greet)])
    app.add_subapp("/mounted", mounted)
    async with serving(app) as session:
        await get(session, path)
    assert list(registry) == [name]


async def test_methods_that_http_does_not_define_share_a_name(registry):
    app = application(registry, [web.route("*", "/any", greet)])
    async with serving(app) as session:
        for method in ("PROPFIND", "MKCOL", "REPORT"):
            for path in ("/any", "/none"):
                async with session.request(method, path):
                    pass
    assert sorted(registry) == ["(other) (unmatched)", "(other) /any"]


async def test_many_paths_without_a_route_are_one_name(registry):
    async with serving(application(registry, [])) as session:
        for number in range(200):
            assert (await get(session, f"/{number}")).startswith("404")
    assert list(registry) == ["GET (unmatched)"]
    row = registry.row("GET (unmatched)")
    assert (row.count, row.errors) == (200, 0)


async def test_the_users_names_are_used_up_to_the_cap_and_none_stands_for_ours(registry):
    def name(request):
        return request.query.get("name")

    app = application(registry, [web.get("/", greet)], name=name, max_names=2)
    async with serving(app) as session:
        for query in ("", "?name=a", "?name=b", "?name=c"):
            await get(session, f"/{query}")
    assert list(registry) == ["GET /", "a", "(other)"]
    assert registry.row("(other)").count == 2


async def test_a_function_for_names_that_fails_is_logged_and_disturbs_no_request(registry, caplog):
    def name(request):
        raise KeyError("on purpose")

    async with serving(application(registry, [web.get("/", greet)], name=name)) as session:
        assert [await get(session, "/") for _ in range(3)] == ["hello"] * 3
    assert len(complaints(caplog)) == 1
    assert list(registry) == ["GET /"]


@pytest.mark.parametrize("exclude", [["/health", "/static/"], lambda r: r.path != "/healthy"])
async def test_what_is_excluded_is_not_measured(exclude, registry):
    app = application(registry, [web.get("/{path:.*}", greet)], exclude=exclude, name=str_of_path)
    async with serving(app) as session:
        for path in ("/health", "/health/db", "/healthy", "/static", "/static/a.css"):
            assert await get(session, path) == "hello"
    assert list(registry) == ["/healthy"]


async def test_the_root_alone_is_no_prefix_of_other_paths(registry):
    app = application(registry, [web.get("/{path:.*}", greet)], exclude=("/",), name=str_of_path)
    async with serving(app) as session:
        for path in ("/", "/a"):
            await get(session, path)
    assert list(registry) == ["/a"]


def test_a_single_path_is_no_collection_of_paths():
    with pytest.raises(TypeError, match=re.escape("not a single one: ('/health',)")):
        allocation_middleware(exclude="/health")


async def test_a_name_that_is_no_text_is_a_failure_of_its_function(registry, caplog):
    app = application(registry, [web.get("/", greet)], name=lambda request: 7)
    async with serving(app) as session:
        assert [await get(session, "/") for _ in range(3)] == ["hello"] * 3
    (complaint,) = complaints(caplog)
    assert "the function that names aiohttp requests failed" in complaint
    assert list(registry) == ["GET /"]


def str_of_path(request):
    return request.path


async def test_of_two_middlewares_the_outer_one_measures(registry):
    app = web.Application(
        middlewares=[
            allocation_middleware(registry=registry, name=lambda request: "outer"),
            allocation_middleware(registry=registry, name=lambda request: "inner"),
        ]
    )
    app.add_routes([web.get("/", greet)])
    async with serving(app) as session:
        assert await get(session, "/") == "hello"
    assert [(name, registry.row(name).count) for name in registry] == [("outer", 1)]


def test_a_cap_of_no_names_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        allocation_middleware(max_names=0)
