"""Tasks in contexts that others have made: of a runner, of another task, of a greenlet or loop."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar, copy_context

import greenlet
import pytest
import uvloop

from allocmeter import measure
from allocmeter._core.figures import current_scope
from instrumented import (
    _instrumented,  # noqa: F401
    cancelled,
    child,
    outcome,
    run,
    waiting,
)

pytestmark = pytest.mark.usefixtures("instrumented")

SINCE_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop])
def loop_factory(request):
    return request.param


async def create_task():
    await asyncio.create_task(child())


def test_a_runner_uses_its_context_for_one_task_after_the_other(loop_factory):
    variable = ContextVar("variable", default=0)

    async def counting(scopes):
        variable.set(variable.get() + 1)
        scopes.append(current_scope())
        return variable.get()

    scopes = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert [runner.run(counting(scopes)) for _ in range(3)] == [1, 2, 3]
    assert len(set(scopes)) == 3
    assert all(scope.is_closed for scope in scopes)


def test_the_context_of_the_running_task_gives_no_scope_of_its_own(loop_factory):
    async def main():
        scopes = []
        context = copy_context()
        first = asyncio.create_task(child(scopes), context=context)
        second = asyncio.create_task(child(scopes), context=context)
        await asyncio.gather(first, second)
        third = asyncio.create_task(child(scopes), context=context)
        await third
        return scopes

    first, second, third = run(main(), loop_factory)
    assert first is second is not third
    assert outcome(child) == (2, 0, 0)


@SINCE_312
def test_a_task_in_the_context_of_another_shares_its_scope_until_that_ends():
    async def main():
        scopes = []
        host = asyncio.create_task(waiting())
        await asyncio.create_task(child(scopes), context=host.get_context())
        await asyncio.create_task(child(scopes), context=asyncio.current_task().get_context())
        await cancelled(host)
        await asyncio.create_task(child(scopes), context=host.get_context())
        return [scope.name for scope in scopes], current_scope().name

    names, own = run(main())
    assert names == ["waiting", own, "child"]


def test_a_loop_within_a_task_has_its_tasks_within_it():
    async def main():
        loop = asyncio.new_event_loop()
        outer = asyncio.current_task()
        # The order matters since 3.14: only a task of the running loop is left, or entered.
        asyncio.tasks._leave_task(outer.get_loop(), outer)
        asyncio._set_running_loop(None)
        try:
            assert loop.run_until_complete(create_task()) is None
        finally:
            loop.close()
            asyncio._set_running_loop(outer.get_loop())
            asyncio.tasks._enter_task(outer.get_loop(), outer)
        return current_scope()

    with measure() as around:
        scope = run(main())
    assert outcome(child) == outcome(create_task) == (1, 0, 0)
    assert around.stats.allocations >= scope.stats.allocations > 0
    assert scope.is_closed


def test_a_task_that_is_created_in_a_greenlet_lies_within_the_scope_there():
    async def main():
        found = {}

        def synchronous():
            with measure("in the greenlet") as found["scope"]:
                found["task"] = asyncio.create_task(child())
            found["after"] = current_scope()

        other = greenlet.greenlet(synchronous)
        other.gr_context = copy_context()
        other.switch()
        await found["task"]
        assert found["after"] is current_scope()
        return found["scope"]

    scope = run(main())
    assert scope.late_stats.allocations + scope.stats.allocations > 0
    assert outcome(child) == (1, 0, 0)
