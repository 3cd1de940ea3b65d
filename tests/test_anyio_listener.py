"""Connections of anyio's listeners, on every event loop: a scope each."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest

from allocmeter import measure
from allocmeter.integrations.connections import measure_connections
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


@asynccontextmanager
async def serving(handler):
    """Run a listener, and yield what connects to it, sends a line and returns the answer."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def ask(line):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(f"{line:>9}\n".encode())
            with anyio.fail_after(30):
                try:
                    return await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return None

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handler)
        yield ask
        tasks.cancel_scope.cancel()


def working(work):
    async def handler(stream):
        async with stream:
            await work(int(await stream.receive(100)))
            await stream.send(b"done")

    return handler


async def all_at_once(ask, lines):
    async with anyio.create_task_group() as tasks:
        for line in lines:
            tasks.start_soon(ask, line)


@pytest.mark.exact
@pytest.mark.usefixtures("without_collector")
async def test_a_connection_is_charged_for_its_own_blocks_and_none_of_its_neighbours(registry):
    work = Work()
    async with serving(measure_connections(working(work), registry=registry)) as ask:
        for _ in range(CONNECTIONS):
            await all_at_once(ask, [LARGE, SMALL, LARGE])
        await until(work.all_closed)
    assert work.differs_by_its_blocks_alone()
    assert work.has_right_peaks()


@pytest.mark.exact
@pytest.mark.usefixtures("without_collector")
async def test_a_connection_costs_beside_others_what_it_costs_alone(registry):
    alone, beside = Work(), Work()
    async with serving(measure_connections(working(alone), registry=registry)) as ask:
        for _ in range(CONNECTIONS):
            await ask(SMALL)
        await until(alone.all_closed)
    async with serving(measure_connections(working(beside), registry=registry)) as ask:
        for _ in range(CONNECTIONS):
            await all_at_once(ask, [LARGE, SMALL, LARGE])
        await until(beside.all_closed)
    assert beside.typical(SMALL) == pytest.approx(alone.typical(SMALL), rel=0.01)


@pytest.mark.parametrize("nested", [False, True])
async def test_the_scope_around_the_server_has_its_connections_if_they_are_nested(nested, registry):
    work = Work()
    handler = measure_connections(working(work), registry=registry, nested=nested)
    with measure() as around:
        async with serving(handler) as ask:
            assert await ask(LARGE) == b"done"
            await until(work.all_closed)
    assert (around.stats.bytes_allocated >= STEPS * LARGE) == nested


async def test_a_handler_that_raises_is_an_error_and_the_server_hears_of_it(registry):
    async def failing(stream):
        async with stream:
            raise ValueError("on purpose")

    with pytest.RaisesGroup(ValueError, flatten_subgroups=True):
        async with serving(measure_connections(failing, "failing", registry=registry)) as ask:
            await ask("")
            await anyio.sleep_forever()
    assert outcome(registry, "failing") == (1, 1, 0)


async def test_connections_that_end_with_the_server_are_cancelled(registry):
    started = []

    async def waiting(stream):
        async with stream:
            started.append(stream)
            await anyio.sleep_forever()

    async with (
        serving(measure_connections(waiting, "waiting", registry=registry)) as ask,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(ask, "")
        await until(lambda: started)
        tasks.cancel_scope.cancel()
    assert outcome(registry, "waiting") == (1, 0, 1)


@pytest.mark.usefixtures("broken")
async def test_a_failure_of_ours_is_logged_once_and_no_connection_notices(registry, caplog):
    work = Work()
    async with serving(measure_connections(working(work), registry=registry)) as ask:
        assert [await ask(SMALL) for _ in range(3)] == [b"done"] * 3
    assert work.scopes == {SMALL: [None] * 3}
    assert len(complaints(caplog)) == 1
    assert len(registry) == 0
