"""Tasks that never end, tasks in great numbers, and tasks across a fork."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from contextvars import copy_context

import anyio
import pytest

from allocmeter import backend_info
from allocmeter._core.figures import current_scope
from instrumented import _instrumented, child, failing, outcome, rows, run, waiting  # noqa: F401

pytestmark = pytest.mark.usefixtures("instrumented")


def test_a_task_that_never_ends_is_let_go_and_counts_nowhere():
    gc.collect()
    before = backend_info()

    async def main():
        complaints = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: complaints.append(context["message"]))
        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        del task
        gc.collect()
        loop.set_exception_handler(None)
        return complaints

    assert run(main()) == ["Task was destroyed but it is pending!"]
    gc.collect()
    assert outcome(waiting) == (0, 0, 0)
    assert backend_info().open_scopes == before.open_scopes
    assert backend_info().scopes_kept - before.scopes_kept <= 2  # which hold the loop's memory


def test_a_context_that_outlives_a_lost_task_can_be_used_again():
    async def main():
        scopes, outer, context = [], current_scope(), copy_context()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        lost = asyncio.create_task(waiting(), context=context)
        await asyncio.sleep(0)
        assert context.run(current_scope).name == "waiting"
        del lost
        gc.collect()
        assert context.run(current_scope) is outer
        await asyncio.create_task(child(scopes), context=context)
        loop.set_exception_handler(None)
        return scopes[0]

    assert run(main()).name == "child"


def test_tasks_that_each_start_the_next_hold_on_to_nothing():
    done = []

    async def link(rest):
        if rest:
            done.append(asyncio.create_task(link(rest - 1)))
        await asyncio.sleep(0)

    async def main():
        await link(3_000)
        for task in done:
            await task

    before = backend_info()
    run(main())
    done.clear()
    gc.collect()
    (row,) = (row for row in rows().values() if row.name.endswith("link"))
    # The tree has a limit of 1,000 levels; a chain that reaches it starts again at its top.
    assert 3_000 - row.count <= 10
    after = backend_info()
    assert after.open_scopes == before.open_scopes
    assert after.own_bytes - before.own_bytes < 64 * 1024
    # Those above a scope with a block that still lives, in one or two runs of 1,000 levels.
    assert after.scopes_kept - before.scopes_kept < 2_100


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_a_library_lets_go_of_to_break_a_cycle_is_free_at_once(backend):
    async def main():
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(failing)
        except ExceptionGroup as errors:
            error = errors.exceptions[0]
        return {type(each).__name__ for each in gc.get_referrers(error)}

    assert "TaskHandle" not in anyio.run(main, backend=backend)
    assert outcome(failing) == (1, 1, 0)


@pytest.mark.slow
def test_a_hundred_thousand_tasks_leave_nothing_behind():
    async def main(count):
        for _ in range(count // 1_000):
            await asyncio.gather(*(child() for _ in range(1_000)))

    run(main(10_000))
    gc.collect()
    before = backend_info()
    run(main(100_000))
    gc.collect()
    after = backend_info()
    assert outcome(child) == (110_000, 0, 0)
    assert after.unmeasured_scopes == before.unmeasured_scopes
    assert after.scopes_kept - before.scopes_kept < 100
    assert after.own_bytes - before.own_bytes < 64 * 1024
    assert after.own_table_bytes - before.own_table_bytes < 64 * 1024


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_tasks_go_on_in_a_forked_process():
    process = os.fork()
    if process == 0:
        code = 1
        try:
            gc.collect()
            run(main_of_the_child())
            code = 0 if outcome(child) == (10, 0, 0) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert outcome(child) == (0, 0, 0)


async def main_of_the_child():
    await asyncio.gather(*(child() for _ in range(10)))
