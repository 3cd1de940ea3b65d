"""The parts that give tasks their scopes, each by itself: when they fail, and when they decline."""

from __future__ import annotations

import asyncio
import functools
import sys
from contextvars import Context, copy_context
from types import SimpleNamespace

import pytest

from allocmeter import measure
from allocmeter._core.figures import current_scope
from allocmeter.integrations import _asyncio_scopes, _task_scopes, _trio_tasks
from allocmeter.integrations._switch import Switch
from allocmeter.integrations._task_names import name_of
from standins import giving, raising

BROKEN = OSError("out of order")


@pytest.fixture
def switch(monkeypatch):
    """A switch of the test's own, that has not complained yet."""
    own = Switch("giving a task a scope failed")
    for module in (_asyncio_scopes, _task_scopes, _trio_tasks):
        monkeypatch.setattr(module, "switch", own)
    return own


@pytest.fixture
def tasks_that(monkeypatch):
    """Return a function that has the methods of all tasks replaced, and returns a task."""

    def replace(*, error=None, **methods):
        monkeypatch.setitem(
            sys.modules, "_asyncio", SimpleNamespace(Task=SimpleNamespace(**methods))
        )
        return SimpleNamespace(_exception=error)

    return replace


def complaints(caplog):
    return [record.exc_text.splitlines()[-1] for record in caplog.records]


async def child():
    return current_scope()


# asyncio


def test_a_task_that_could_not_be_created_has_no_end(switch):
    closed = []
    _asyncio_scopes.TaskEnd(closed.append, Context()).follow(None)
    assert closed == []
    assert switch.on


def test_a_task_that_is_done_at_once_has_its_end_at_once(tasks_that):
    failure = ValueError("on purpose")
    closed = []
    end = _asyncio_scopes.TaskEnd(closed.append, Context())
    for cancelled, error in ((False, None), (False, failure), (True, None)):
        end.follow(tasks_that(done=giving(True), cancelled=giving(cancelled), error=error))
    assert closed == [None, failure, _asyncio_scopes._CANCELLED]


def test_a_task_that_is_not_done_is_followed(tasks_that):
    followed = []
    end = _asyncio_scopes.TaskEnd(print, Context())
    task = tasks_that(
        done=giving(False),
        add_done_callback=lambda task, done, context: followed.append((task, done, context)),
    )
    end.follow(task)
    assert followed == [(task, end, end._own)]


@pytest.mark.parametrize("step", ["done", "cancelled"])
def test_a_task_that_answers_with_an_error_turns_the_scopes_off(switch, tasks_that, caplog, step):
    answers = {"done": giving(True), "cancelled": giving(False), step: raising(BROKEN)}
    _asyncio_scopes.TaskEnd(print, Context()).follow(tasks_that(**answers))
    assert not switch.on
    assert complaints(caplog) == ["OSError: out of order"]


def test_a_scope_that_cannot_be_opened_turns_the_scopes_off(switch, monkeypatch, caplog):
    monkeypatch.setattr(_asyncio_scopes, "measure", raising(BROKEN))
    body = child()
    assert _asyncio_scopes.start(body, None, None) is None
    body.close()
    assert not switch.on
    assert complaints(caplog) == ["OSError: out of order"]


def test_a_context_that_is_occupied_gives_no_scope_to_a_second_task(tasks_that):
    body, context = child(), Context()
    end = _asyncio_scopes.start(body, context, None)
    assert end.context is context
    assert _task_scopes.enter_scope(body, context) is None
    end(tasks_that(cancelled=giving(False)))
    assert _asyncio_scopes.start(body, context, None) is not None, "it is free again"
    body.close()


def test_this_very_context_gets_no_scope():
    body, context = child(), copy_context()
    assert context.run(_asyncio_scopes.start, body, context, None) is None
    body.close()


def test_a_context_is_known_to_belong_to_a_task_where_tasks_tell(monkeypatch):
    def entered():
        scope = measure()
        scope.__enter__()
        return scope

    context = Context()
    scope = context.run(entered)
    task = SimpleNamespace(get_context=giving(context))
    try:
        for tasks, expected in (([task], True), ([SimpleNamespace()], False), ([], False)):
            monkeypatch.setattr(asyncio, "all_tasks", giving(tasks))
            assert _asyncio_scopes._is_at_work(context, None) is expected
    finally:
        context.run(scope.__exit__, None, None, None)
    monkeypatch.setattr(asyncio, "all_tasks", giving([task]))
    assert not _asyncio_scopes._is_at_work(context, None), "its scope is closed"
    assert not _asyncio_scopes._is_at_work(Context(), None), "it has none"


# Any loop


def test_a_scope_is_left_where_somebody_is_inside_its_context():
    context, body = Context(), child()
    entered = _task_scopes.enter_scope(body, context)
    assert _task_scopes.enter_scope(body, context) is None, "occupied"
    context.run(entered.close, None)
    assert not entered._scope.is_open
    entered.close(None)  # once more changes nothing
    assert context.run(current_scope) is None
    body.close()


# trio


@pytest.mark.parametrize("runner", [None, SimpleNamespace(spawn_impl=print), SimpleNamespace()])
def test_a_trio_that_is_unknown_is_left_alone_and_told(monkeypatch, caplog, runner):
    import sys

    monkeypatch.setitem(sys.modules, "trio._core._run", SimpleNamespace(Runner=runner))
    _trio_tasks.instrument_trio(SimpleNamespace(__version__="99.0"))
    (record,) = caplog.records
    assert "this version of trio (99.0) is unknown to instrument_tasks()" in record.getMessage()


def test_a_failure_at_the_beginning_of_a_trio_task_turns_the_scopes_off(
    switch, monkeypatch, caplog
):
    monkeypatch.setattr(_trio_tasks, "enter_scope", raising(BROKEN))
    spawned = SimpleNamespace(coro=None, context=None)
    spawn = _trio_tasks._opening(giving(spawned))
    runner = SimpleNamespace(entry_queue=object())
    assert spawn(runner, child, (), object(), None) is spawned
    assert not switch.on
    assert complaints(caplog) == ["OSError: out of order"]
    assert spawn(runner, child, (), object(), None) is spawned
    assert len(caplog.records) == 1


def test_a_failure_at_the_end_of_a_trio_task_turns_the_scopes_off(switch, monkeypatch, caplog):
    class Task:
        pass

    task = Task()
    monkeypatch.setitem(_trio_tasks._scopes, task, SimpleNamespace(close=raising(BROKEN)))
    exited = _trio_tasks._closing(lambda runner, task, outcome: "exited")
    assert exited(None, task, None) == "exited"
    assert not switch.on
    assert complaints(caplog) == ["OSError: out of order"]
    assert exited(None, task, None) == "exited", "a task without a scope"


# Names


class Unnamed:
    """An awaitable that does not tell its name."""

    def __getattr__(self, name):
        raise BROKEN


def test_what_tells_no_name_is_called_by_its_type():
    assert name_of(Unnamed()) == "Unnamed"
    assert name_of(SimpleNamespace()) == "SimpleNamespace"
    assert name_of(SimpleNamespace(__qualname__=7)) == "SimpleNamespace"


def test_a_partial_is_called_like_its_function():
    assert name_of(functools.partial(functools.partial(child), 1)) == "child"


def test_a_name_of_a_shell_that_is_none_is_its_own():
    async def shell():
        pass

    for qualname in ("_wrap_awaitable", "TaskHandle._run_coro"):
        body = shell()
        body.__qualname__ = qualname  # in this module, and not in the library's
        assert name_of(body) == qualname
        body.close()


class Text(str):
    """A text by another type."""

    __slots__ = ()


def test_a_name_of_another_type_of_text_is_taken_as_it_is():
    assert name_of(SimpleNamespace(__qualname__=Text("work"))) == "work"
