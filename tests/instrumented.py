"""What tests of instrumented tasks share: coroutines of known names, and what is known of them."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from anyio.lowlevel import checkpoint

from allocmeter import report
from allocmeter._core.figures import current_scope
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
from allocmeter.registry import default_registry


@pytest.fixture(name="instrumented")
def _instrumented():
    default_registry().reset()
    instrument_tasks()
    yield
    uninstrument_tasks()
    default_registry().reset()


def rows():
    return {row.name: row for row in report().rows}


def outcome(function):
    """Return how often tasks of a coroutine function have ended, failed and been cancelled."""
    row = rows().get(function.__qualname__)
    return (0, 0, 0) if row is None else (row.count, row.errors, row.cancelled)


async def child(scopes=None):
    if scopes is not None:
        scopes.append(current_scope())
    await checkpoint()
    return 42


async def failing():
    await checkpoint()
    raise ValueError("on purpose")


async def waiting():
    await asyncio.get_running_loop().create_future()


def run(main, loop_factory=None):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)


async def cancelled(task):
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
