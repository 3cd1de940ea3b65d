"""The ASGI middleware: whatever clients ask for, what is kept of it is bounded."""

from __future__ import annotations

import gc

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from allocmeter import backend_info
from asgi_live import UVICORN, connected, head_of, serving
from serving import outcome
from test_asgi_calls import answer, measured, request

MANY = 100_000
WARM = 10_000  # after which nothing of ours grows any more
BATCH = 100

pytestmark = pytest.mark.anyio


@pytest.fixture(params=UVICORN, ids=repr)
def live(request):
    return request.param


@pytest.fixture
def anyio_backend(live):
    return live.backend


@pytest.fixture(autouse=True)
def first_look():
    """Look at what is ours before it matters: the first time leaves garbage that is."""
    kept()


async def item(request):
    return PlainTextResponse(request.path_params["tenant"])


def application():
    return Starlette(routes=[Mount("/shop/{tenant}", routes=[Route("/items/{id}", item)])])


def kept():
    """Return our objects in bytes, and the scopes that the core keeps.

    How far its tables have ever reached depends on how many scopes awaited the collector at once.
    """
    gc.collect()
    info = backend_info()
    return info.own_bytes, info.scopes_kept


@pytest.mark.slow
@pytest.mark.exact
@pytest.mark.parametrize("live", UVICORN[:1], ids=repr)
async def test_a_hundred_thousand_paths_without_a_route_are_one_row(live):
    app, registry = measured(application())
    for number in range(WARM):
        await request(app, f"/missing/{number}")
    before, scopes = kept()
    for number in range(WARM, MANY):
        await request(app, f"/missing/{number}")
    after, still = kept()
    assert abs(after - before) < 5_000
    assert still <= scopes
    assert list(registry) == ["GET (unmatched)"]
    assert outcome(registry, "GET (unmatched)") == (MANY, 0, 0)
    assert registry.row("GET (unmatched)").retained_bytes < 20_000


@pytest.mark.slow
@pytest.mark.exact
@pytest.mark.parametrize("live", UVICORN[:1], ids=repr)
async def test_a_hundred_thousand_names_of_the_user_are_as_many_rows_as_agreed(live):
    async def app(scope, receive, send):
        await answer(receive, send)

    wrapped, registry = measured(app, name=lambda scope: "the request for " + scope["path"])
    for number in range(WARM):
        await request(wrapped, f"/{number}")
    before, scopes = kept()
    for number in range(WARM, MANY):
        await request(wrapped, f"/{number}")
    after, still = kept()
    assert abs(after - before) < 5_000
    assert still <= scopes
    assert len(registry) == 1_001
    assert registry.row("(other)").count == MANY - 1_000
    assert sum(registry.row(name).count for name in registry) == MANY


@pytest.mark.slow
@pytest.mark.exact
async def test_paths_that_a_real_server_is_asked_for_are_bounded_likewise(live):
    app, registry = measured(application())
    before = None
    async with serving(live, app) as port:
        for path, status in (("/missing/%d", 404), ("/shop/t%d/items/1", 200)):
            async with connected(port) as client:
                for first in range(0, 3_000, BATCH):
                    if first == 3 * BATCH:
                        before = kept()
                    paths = [path % number for number in range(first, first + BATCH)]
                    await client.send(b"".join(map(head_of, paths)))
                    assert {(await client.answer())[0] for _ in paths} == {status}
            own_bytes, scopes = (now - then for now, then in zip(kept(), before, strict=True))
            assert own_bytes < 20_000
            assert scopes <= 10
    names = {"GET (unmatched)", "GET /shop/{tenant}/items/{id}"}
    assert {name for name in registry if not name.startswith("lifespan")} == names
    for name in names:
        assert outcome(registry, name) == (3_000, 0, 0)
        assert registry.row(name).retained_bytes < 50_000


async def test_methods_that_clients_make_up_are_one_row(live):
    app, registry = measured(application())
    for number in range(2_000):
        await request(app, "/missing", f"METHOD{number}")
    assert list(registry) == ["(other) (unmatched)"]
