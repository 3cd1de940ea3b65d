"""Requests of an aiohttp server: right figures under their route's name, whatever happens."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from anyio import to_thread

from allocmeter import measure, report
from allocmeter._core.figures import current_scope
from allocmeter.integrations.aiohttp import allocation_middleware
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
from allocmeter.registry import default_registry
from blocks import untouched
from operations import cost
from serving import (  # noqa: F401
    LARGE,
    SMALL,
    STEPS,
    Work,
    _broken,
    _registry,
    _without_collector,
    complaints,
    outcome,
    until,
)

aiohttp = pytest.importorskip("aiohttp")
from aiohttp import web  # noqa: E402

pytestmark = pytest.mark.anyio

REQUESTS = 12


@pytest.fixture
def anyio_backend(asyncio_only):
    return asyncio_only


@asynccontextmanager
async def running(app, **options):
    """Run an application, and yield the host and the port."""
    runner = web.AppRunner(app, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(app, **options):
    """Run an application, and yield a client session for it."""
    async with (
        running(app, **options) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
    ):
        yield session


def application(registry, routes, **options):
    app = web.Application(middlewares=[allocation_middleware(registry=registry, **options)])
    app.add_routes(routes)
    return app


def working(work):
    async def handler(request):
        await work(int(request.match_info["size"]))
        return web.Response(text="done")

    return web.get("/work/{size}", handler)


async def get(session, path):
    async with session.get(path) as response:
        return await response.text()


async def greet(request):
    return web.Response(text="hello")


# The figures


@pytest.mark.exact
@pytest.mark.usefixtures("without_collector")
async def test_a_request_is_charged_for_its_own_blocks_and_none_of_its_neighbours(registry):
    work = Work()
    async with serving(application(registry, [working(work)])) as session:
        for _ in range(REQUESTS):
            paths = [f"/work/{size}" for size in (LARGE, SMALL, LARGE)]
            await asyncio.gather(*(get(session, path) for path in paths))
    assert work.differs_by_its_blocks_alone()
    assert work.has_right_peaks()
    assert outcome(registry, "GET /work/{size}") == (3 * REQUESTS, 0, 0)


@pytest.mark.exact
@pytest.mark.usefixtures("without_collector")
async def test_a_request_costs_beside_others_what_it_costs_alone(registry):
    alone, beside = Work(), Work()
    async with serving(application(registry, [working(alone)])) as session:
        for _ in range(REQUESTS):
            await get(session, f"/work/{SMALL}")
    async with serving(application(registry, [working(beside)])) as session:
        for _ in range(REQUESTS):
            paths = [f"/work/{size}" for size in (LARGE, SMALL, LARGE)]
            await asyncio.gather(*(get(session, path) for path in paths))
    assert beside.typical(SMALL) == pytest.approx(alone.typical(SMALL), rel=0.01)


async def test_a_worker_thread_belongs_to_the_request(registry):
    scopes = []

    async def handler(request):
        scopes.append(current_scope())
        await to_thread.run_sync(lambda: scopes.append(current_scope()))
        return web.Response()

    async with serving(application(registry, [web.get("/", handler)])) as session:
        await get(session, "/")
    assert scopes[0] is scopes[1] is not None


# Long answers


async def test_a_streaming_response_is_measured_to_its_last_chunk(registry):
    scopes = []

    async def stream(request):
        scopes.append(current_scope())
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(STEPS):
            await response.write(untouched(LARGE))
        await response.write_eof()
        return response

    async with serving(application(registry, [web.get("/stream", stream)])) as session:
        async with session.get("/stream") as response:
            assert len(await response.read()) == STEPS * LARGE
        await until(lambda: scopes[0].is_closed)
    assert scopes[0].stats.bytes_allocated >= STEPS * cost(LARGE)
    assert outcome(registry, "GET /stream") == (1, 0, 0)


async def test_a_websocket_is_measured_until_it_is_closed(registry):
    scopes = []

    async def echo(request):
        scopes.append(current_scope())
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(untouched(int(message.data)))
        return socket

    async with serving(application(registry, [web.get("/echo", echo)])) as session:
        async with session.ws_connect("/echo") as socket:
            for _ in range(STEPS):
                await socket.send_str(str(SMALL))
                assert len(await socket.receive_bytes()) == SMALL
            assert scopes[0].is_open
        await until(lambda: scopes[0].is_closed)
    assert scopes[0].stats.bytes_allocated >= STEPS * cost(SMALL)
    assert list(registry) == ["WS /echo"]


# The scope around


@pytest.mark.parametrize("nested", [False, True])
async def test_the_scope_around_the_server_has_its_requests_if_they_are_nested(nested, registry):
    work = Work()
    with measure() as around:
        async with serving(application(registry, [working(work)], nested=nested)) as session:
            await get(session, f"/work/{LARGE}")
    assert (around.stats.bytes_allocated >= STEPS * LARGE) == nested


async def test_with_instrumented_tasks_a_request_is_counted_once():
    default_registry().reset()
    instrument_tasks()
    try:
        async with serving(application(None, [working(Work())])) as session:
            await get(session, f"/work/{LARGE}")
        rows = {row.name: row for row in report().rows}
    finally:
        uninstrument_tasks()
        default_registry().reset()
    request = rows.pop("GET /work/{size}")
    assert request.count == 1
    assert request.bytes_allocated.sum >= STEPS * LARGE
    # The task of its connection, unless aiohttp calls `asyncio.Task` itself, as it does for eager
    # ones: those share the scope of their creator.
    tasks = [row for name, row in rows.items() if name == "RequestHandler.start"]
    assert sum(row.bytes_allocated.sum for row in tasks) < LARGE


# The ends


async def fail(request):
    raise ValueError("on purpose")


async def refuse(request):
    raise web.HTTPForbidden


async def give_up(request):
    raise web.HTTPBadGateway


async def report_failure(request):
    return web.Response(status=500)


ENDS = {fail: (500, 1), refuse: (403, 0), give_up: (502, 1), report_failure: (500, 1)}


@pytest.mark.parametrize("handler", ENDS)
async def test_a_request_fails_if_the_server_could_not_answer_it(handler, registry):
    status, errors = ENDS[handler]
    async with (
        serving(application(registry, [web.get("/", handler)])) as session,
        session.get("/") as response,
    ):
        assert response.status == status
    assert outcome(registry, "GET /") == (1, errors, 0)


async def test_a_request_whose_client_goes_away_is_cancelled(registry):
    started = []

    async def wait(request):
        started.append(request)
        await asyncio.get_running_loop().create_future()

    app = application(registry, [web.get("/", wait)])
    async with serving(app, handler_cancellation=True) as session:
        asking = asyncio.create_task(get(session, "/"))
        await until(lambda: started)
        asking.cancel()
        await until(lambda: "GET /" in registry)
    assert outcome(registry, "GET /") == (1, 0, 1)


@pytest.mark.usefixtures("broken")
async def test_a_failure_of_ours_is_logged_once_and_no_request_notices(registry, caplog):
    async with serving(application(registry, [web.get("/", greet)])) as session:
        assert [await get(session, "/") for _ in range(3)] == ["hello"] * 3
    (complaint,) = complaints(caplog)
    assert complaint.startswith("giving aiohttp requests a scope each failed")
    assert len(registry) == 0


async def test_a_handler_that_returns_nonsense_is_aiohttps_to_complain_about(registry, caplog):
    async def nonsense(request):
        return 42

    async with (
        serving(application(registry, [web.get("/", nonsense)])) as session,
        session.get("/") as response,
    ):
        assert response.status == 500
    assert outcome(registry, "GET /") == (1, 0, 0)
