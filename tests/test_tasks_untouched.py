"""What the program sees of its tasks is what it sees without us."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import sys

import pytest
import uvloop

from allocmeter import backend_info
from allocmeter.integrations import _asyncio_scopes, _task_scopes, tasks
from instrumented import (
    _instrumented,  # noqa: F401
    cancelled,
    child,
    failing,
    outcome,
    run,
    waiting,
)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop])
def loop_factory(request):
    return request.param


def with_and_without(coroutine_function, loop_factory=None, **options):
    """Return what a coroutine function gives with our scopes and without."""
    results = []
    for switch in (tasks.uninstrument_tasks, tasks.instrument_tasks):
        switch()
        with asyncio.Runner(loop_factory=loop_factory, **options) as runner:
            results.append(runner.run(coroutine_function()))
    tasks.uninstrument_tasks()
    return results[1], results[0]


def shown(thing):
    """Return a repr without what differs from run to run."""
    return re.sub(r"0x[0-9a-f]+|Task-\d+", "#", repr(thing))


async def describe():
    seen = []
    coroutine = child()
    task = asyncio.create_task(coroutine, name="mine")
    seen += [task.get_coro() is coroutine, task.get_name(), shown(task), type(task)]
    task.add_done_callback(seen.append)
    seen.append(shown(task))
    await task
    seen.pop()
    seen += [shown(task), task.result()]
    for unhappy in (asyncio.create_task(failing()), asyncio.create_task(waiting())):
        await asyncio.sleep(0)
        seen.append(shown(unhappy))
        if unhappy.get_coro().__name__ == "waiting":
            unhappy.cancel("because")
        seen.append(shown(unhappy))
        await asyncio.wait([unhappy])
        seen += [shown(unhappy), unhappy.cancelled()]
    async with asyncio.TaskGroup() as group:
        seen.append(shown(group.create_task(child())))
    seen.append(shown(asyncio.current_task()))
    seen.append(len(asyncio.all_tasks()))
    return seen


@pytest.mark.parametrize("debug", [False, True])
def test_a_task_looks_the_same(loop_factory, debug):
    ours, theirs = with_and_without(describe, loop_factory, debug=debug)
    assert ours == theirs


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
@pytest.mark.parametrize("debug", [False, True])
def test_an_eager_task_looks_the_same(debug):
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await describe()

    ours, theirs = with_and_without(main, debug=debug)
    assert ours == theirs


def test_the_lines_that_created_a_task_are_the_same_in_debug_mode(loop_factory):
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(child())
        loop.set_task_factory(lambda loop, coro, **more: asyncio.Task(coro, loop=loop, **more))
        other = asyncio.create_task(child())
        await asyncio.gather(task, other)
        return [[frame.name for frame in made._source_traceback[-4:]] for made in (task, other)]

    ours, theirs = with_and_without(main, loop_factory, debug=True)
    assert ours == theirs


async def unretrieved():
    messages = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: messages.append(context["message"]))
    for function in (failing, waiting):
        task = asyncio.create_task(function())
        for _ in range(3):
            await asyncio.sleep(0)
        del task
        gc.collect()
    return messages


def test_exceptions_that_nobody_asks_for_and_tasks_that_get_lost_are_complained_about():
    ours, theirs = with_and_without(unretrieved)
    assert ours == theirs
    assert [message.split()[0:2] for message in ours] == [["Task", "exception"], ["Task", "was"]]


def test_a_closed_loop_refuses_a_task_as_ever_and_no_scope_stays_open(loop_factory):
    tasks.instrument_tasks()
    loop = loop_factory()
    loop.close()
    coroutine = child()
    before, ended = backend_info(), outcome(child)
    for options in ({}, {"name": "mine"}, {"unknown": 1}):
        # Since 3.14 the loop passes every option on, once it has seen that it is not closed.
        with pytest.raises((TypeError, RuntimeError) if "unknown" in options else RuntimeError):
            loop.create_task(coroutine, **options)
    coroutine.close()
    tasks.uninstrument_tasks()
    assert backend_info().open_scopes == before.open_scopes
    assert backend_info().scopes_kept <= before.scopes_kept
    assert outcome(child) == ended


def test_something_that_is_no_coroutine_is_refused_as_ever(loop_factory):
    async def main():
        with pytest.raises(TypeError) as caught:
            asyncio.get_running_loop().create_task(42)
        return str(caught.value)

    ours, theirs = with_and_without(main, loop_factory)
    assert ours == theirs


@pytest.mark.usefixtures("instrumented")
def test_a_failure_of_ours_is_logged_once_and_leaves_tasks_alone(monkeypatch, caplog):
    def broken(name):
        raise OSError("out of order")

    async def main():
        await asyncio.gather(child(), child())
        await cancelled(asyncio.create_task(waiting()))

    monkeypatch.setattr(_task_scopes.switch, "_warned", False)
    monkeypatch.setattr(_asyncio_scopes, "measure", broken)
    monkeypatch.setattr(_task_scopes, "measure", broken)
    run(main())
    tasks.instrument_tasks()
    run(main())
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("allocmeter", logging.ERROR)
    assert "out of order" in record.exc_text
    assert not _task_scopes.switch.on


@pytest.mark.usefixtures("instrumented")
def test_methods_that_a_type_of_task_has_of_its_own_are_not_called_by_us():
    calls = []

    class Counting(asyncio.Task):
        def add_done_callback(self, *args, **more):
            calls.append("add_done_callback")
            super().add_done_callback(*args, **more)

        def done(self):
            calls.append("done")
            return super().done()

        def cancelled(self):
            calls.append("cancelled")
            return super().cancelled()

    async def ending(end):
        end.set()

    async def main():
        end = asyncio.Event()
        Counting(ending(end), loop=asyncio.get_running_loop())
        await end.wait()
        await asyncio.sleep(0)
        return list(calls)

    assert run(main()) == []
    assert outcome(ending) == (1, 0, 0)


@pytest.mark.usefixtures("instrumented")
def test_a_failure_of_ours_at_the_end_of_a_task_does_not_reach_anybody(monkeypatch, caplog):
    monkeypatch.setattr(_task_scopes.switch, "_warned", False)

    class Odd(asyncio.Task):
        @property
        def _exception(self):
            raise OSError("out of order")

    async def main():
        task = Odd(child(), loop=asyncio.get_running_loop())
        await asyncio.wait([task])
        return task.result()

    assert run(main()) == 42
    assert ["out of order" in record.exc_text for record in caplog.records] == [True]
