"""Connections of asyncio's stream servers: a scope each, whatever goes on around them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from allocmeter import measure, report
from allocmeter._core.figures import current_scope
from allocmeter.integrations.connections import measure_connections
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
from allocmeter.registry import default_registry
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

pytestmark = pytest.mark.anyio

CONNECTIONS = 12


@pytest.fixture
def anyio_backend(asyncio_only):
    return asyncio_only


@asynccontextmanager
async def serving(handler):
    """Run a server, and yield what connects to it, sends a line and returns the answer."""
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        async def ask(line):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"{line:>9}\n".encode())  # of the same length for each size
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

        yield ask


def working(work):
    async def handler(reader, writer):
        await work(int(await reader.readline()))
        writer.write(b"done")
        writer.close()

    return handler


async def greet(reader, writer):
    await reader.readline()
    writer.write(b"hello")
    writer.close()


# The figures


@pytest.mark.exact
@pytest.mark.usefixtures("without_collector")
async def test_a_connection_is_charged_for_its_own_blocks_and_none_of_its_neighbours(registry):
    work = Work()
    async with serving(measure_connections(working(work), registry=registry)) as ask:
        for _ in range(CONNECTIONS):
            assert set(await asyncio.gather(*map(ask, [LARGE, SMALL, LARGE]))) == {b"done"}
    assert work.differs_by_its_blocks_alone()
    assert work.has_right_peaks()


@pytest.mark.exact
@pytest.mark.usefixtures("without_collector")
async def test_a_connection_costs_beside_others_what_it_costs_alone(registry):
    alone, beside = Work(), Work()
    async with serving(measure_connections(working(alone), registry=registry)) as ask:
        for _ in range(CONNECTIONS):
            await ask(SMALL)
    async with serving(measure_connections(working(beside), registry=registry)) as ask:
        for _ in range(CONNECTIONS):
            await asyncio.gather(*map(ask, [LARGE, SMALL, LARGE]))
    assert beside.typical(SMALL) == pytest.approx(alone.typical(SMALL), rel=0.01)


@pytest.mark.exact
async def test_a_handler_that_does_nothing_costs_nothing(registry):
    async def nothing(reader, writer):
        pass

    handler = measure_connections(nothing, "nothing", registry=registry)
    for _ in range(3):
        await handler(None, None)
    assert registry.row("nothing").allocations.p50 == 0


async def test_a_task_that_the_handler_starts_belongs_to_the_connection(registry):
    work, own = Work(), []

    async def starting(reader, writer):
        await reader.readline()
        own.append(current_scope())
        await asyncio.create_task(work(LARGE))
        writer.close()

    async with serving(measure_connections(starting, registry=registry)) as ask:
        await ask("")
    assert work.scopes == {LARGE: own}


async def test_a_unix_socket_is_served_as_well(registry, tmp_path):
    path = tmp_path / "socket"
    handler = measure_connections(greet, registry=registry)
    async with await asyncio.start_unix_server(handler, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"\n")
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
    assert outcome(registry, "greet") == (1, 0, 0)


# The scope around


async def started_in_a_scope(registry, **options):
    with measure() as around:
        handler = measure_connections(working(Work()), registry=registry, **options)
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{LARGE}\n".encode())
        assert await reader.read() == b"done"
        writer.close()
        await writer.wait_closed()
    return around


async def test_the_scope_in_which_the_server_was_started_has_nothing_of_its_connections(registry):
    around = await started_in_a_scope(registry)
    assert around.late_stats.bytes_allocated < STEPS * LARGE


async def test_it_has_the_connections_if_they_are_nested(registry):
    around = await started_in_a_scope(registry, nested=True)
    assert around.late_stats.bytes_allocated >= STEPS * LARGE


# The ends


async def test_a_handler_that_raises_is_an_error_and_the_server_hears_of_it(registry):
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))

    async def failing(reader, writer):
        await reader.readline()
        raise ValueError("on purpose")

    async with serving(measure_connections(failing, "failing", registry=registry)) as ask:
        assert await ask("") == b""
    assert outcome(registry, "failing") == (1, 1, 0)
    assert [type(context["exception"]) for context in heard] == [ValueError]


async def test_a_handler_that_is_cancelled_is_counted_as_such(registry):
    # Some versions of asyncio take a cancelled handler for an error of their own.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    tasks = []

    async def waiting(reader, writer):
        tasks.append(asyncio.current_task())
        try:
            await reader.read()
        finally:
            writer.close()

    async with serving(measure_connections(waiting, "waiting", registry=registry)) as ask:
        asking = asyncio.create_task(ask(""))
        await until(lambda: tasks)
        tasks[0].cancel()
        with suppress(ConnectionError):
            await asking
    assert tasks[0].cancelled()
    assert outcome(registry, "waiting") == (1, 0, 1)


@pytest.mark.usefixtures("broken")
async def test_a_failure_of_ours_is_logged_once_and_no_connection_notices(registry, caplog):
    async with serving(measure_connections(greet, registry=registry)) as ask:
        assert await asyncio.gather(*map(ask, range(3))) == [b"hello"] * 3
    (complaint,) = complaints(caplog)
    assert complaint.startswith("giving connections of greet a scope each failed")
    assert "greet" not in registry


# Tasks with scopes of their own


async def test_with_instrumented_tasks_a_connection_is_counted_once():
    default_registry().reset()
    instrument_tasks()
    try:
        async with serving(measure_connections(working(Work()), "connection")) as ask:
            for _ in range(3):
                await ask(LARGE)
        await until(lambda: "measure_connections(working.<locals>.handler)" in default_registry())
        rows = {row.name: row for row in report().rows}
        task = rows["measure_connections(working.<locals>.handler)"]
        assert rows["connection"].count == task.count == 3
        assert task.bytes_allocated.max < LARGE < rows["connection"].bytes_allocated.min
        assert "working.<locals>.handler" not in rows
    finally:
        uninstrument_tasks()
        default_registry().reset()


# What may be measured


class Service:
    async def method(self, reader, writer):
        await greet(reader, writer)

    async def __call__(self, reader, writer):
        await greet(reader, writer)


async def with_options(reader, writer, *, answer):
    await greet(reader, writer)


HANDLERS = {
    "greet": greet,
    "Service.method": Service().method,
    "Service.__call__": Service(),
    "with_options": functools.partial(with_options, answer=42),
}


@pytest.mark.parametrize("name", HANDLERS)
async def test_a_connection_is_named_after_the_handler(name, registry):
    async with serving(measure_connections(HANDLERS[name], registry=registry)) as ask:
        assert await ask("") == b"hello"
    assert list(registry) == [name]


async def test_a_given_name_is_used(registry):
    async with serving(measure_connections(greet, "greeting", registry=registry)) as ask:
        assert await ask("") == b"hello"
    assert list(registry) == ["greeting"]


async def test_a_decorated_handler_looks_like_itself():
    decorated = measure_connections(greet)
    assert inspect.iscoroutinefunction(decorated)
    if sys.version_info < (3, 14):  # from then on it is deprecated
        assert asyncio.iscoroutinefunction(decorated)
    assert (decorated.__wrapped__, decorated.__name__) == (greet, "greet")


@pytest.mark.parametrize("handler", [lambda reader, writer: None, Service, "greet"])
async def test_a_plain_callback_is_refused(handler):
    with pytest.raises(TypeError, match="is not an async function: .* a plain callback"):
        measure_connections(handler)
