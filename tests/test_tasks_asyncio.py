"""Every way that asyncio knows to make a task gives it exactly one scope."""

from __future__ import annotations

import asyncio
import sys
import types
from contextvars import copy_context

import anyio
import pytest
import uvloop

from allocmeter._core.figures import current_scope
from allocmeter.integrations.tasks import instrument_tasks
from instrumented import (
    _instrumented,  # noqa: F401
    cancelled,
    child,
    failing,
    outcome,
    rows,
    run,
    waiting,
)

pytestmark = pytest.mark.usefixtures("instrumented")

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
SINCE_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")


def eager_loop():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.fixture(params=LOOPS)
def loop_factory(request):
    return request.param


@pytest.fixture(params=[*LOOPS, *([eager_loop] if sys.version_info >= (3, 12) else [])])
def any_loop(request):
    return request.param


async def create_task():
    await asyncio.create_task(child())


async def loop_create_task():
    await asyncio.get_running_loop().create_task(child(), name="mine")


async def ensure_future():
    await asyncio.ensure_future(child())


async def gather():
    assert await asyncio.gather(child()) == [42]


async def task_group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(child(), name="mine")


async def wait_for():
    await asyncio.wait_for(asyncio.create_task(child()), 10)


async def shield():
    await asyncio.shield(child())


async def timeout():
    async with asyncio.timeout(10):
        await asyncio.create_task(child())


async def anyio_task_group():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child, name="mine")


async def context_of_its_own():
    await asyncio.create_task(child(), context=copy_context())


WAYS = [
    create_task,
    loop_create_task,
    ensure_future,
    gather,
    task_group,
    wait_for,
    shield,
    timeout,
    anyio_task_group,
    context_of_its_own,
]


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_started_a_task_has_one_scope(way, any_loop):
    run(way(), any_loop)
    assert outcome(child) == (1, 0, 0)
    assert outcome(way) == (1, 0, 0)
    assert rows()[way.__qualname__].allocations.sum >= rows()["child"].allocations.sum


def test_a_task_that_is_run_until_complete_has_a_scope(loop_factory):
    loop = loop_factory()
    assert loop.run_until_complete(child()) == 42
    loop.close()
    assert outcome(child) == (1, 0, 0)


BEFORE_314 = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="since 3.14 asyncio gives factories all keywords"
)


@pytest.mark.parametrize("make_factory", [
    pytest.param(lambda: lambda loop, coro: asyncio.Task(coro, loop=loop), marks=BEFORE_314),
    lambda: lambda loop, coro, **kwargs: asyncio.Task(coro, loop=loop, **kwargs),
    pytest.param(
        lambda: lambda loop, coro, context=None: asyncio.Task(coro, loop=loop), marks=BEFORE_314
    ),
])  # fmt: skip
def test_a_factory_that_the_program_sets_later_is_used_and_the_task_has_its_scope(make_factory):
    made = []
    factory = make_factory()

    def noting(loop, coro, **kwargs):
        made.append(factory(loop, coro, **kwargs))
        return made[-1]

    async def main():
        asyncio.get_running_loop().set_task_factory(noting)
        scopes = []
        task = asyncio.create_task(child(scopes), name="mine")
        assert task is made[-1]
        assert await task == 42
        assert task.get_name() == "mine"
        return scopes[0], current_scope()

    inner, outer = run(main())
    assert (inner.name, inner is outer) == ("child", False)
    assert outcome(child) == (1, 0, 0)


class Plain(asyncio.Task):
    pass


class Elaborate(asyncio.Task):
    def __init__(self, coro, **kwargs):
        self.made_by = "the program"
        super().__init__(coro, **kwargs)


@pytest.mark.parametrize("kind", [asyncio.Task, Plain, Elaborate])
def test_a_task_made_by_calling_its_type_has_a_scope(kind, loop_factory):
    async def main():
        scopes = []
        task = kind(child(scopes), loop=asyncio.get_running_loop())
        assert await task == 42
        return scopes[0], current_scope()

    inner, outer = run(main(), loop_factory)
    assert (inner.name, inner is outer) == ("child", False)
    assert outcome(child) == (1, 0, 0)


def test_wrong_arguments_of_a_task_are_refused_as_ever():
    async def main():
        with pytest.raises(TypeError, match="coroutine was expected"):
            asyncio.Task(42)
        with pytest.raises(TypeError, match="coro"):
            asyncio.Task()
        coro = child()
        with pytest.raises(TypeError, match="colour"):
            asyncio.Task(coro, colour="red")
        coro.close()

    run(main())
    assert outcome(child) == (0, 0, 0)


@SINCE_312
def test_an_eager_task_that_is_done_at_once_has_final_figures_at_once():
    async def quick(scopes):
        scopes.append(current_scope())

    async def main():
        scopes, outer = [], current_scope()
        task = asyncio.create_task(quick(scopes))
        assert task.done()
        assert scopes[0].is_closed
        assert current_scope() is outer

    run(main(), eager_loop)


def test_a_loop_class_that_overrides_create_task_gives_one_scope():
    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro, **kwargs):
            return super().create_task(coro, **kwargs)

    class Outer(uvloop.Loop):
        def create_task(self, coro, *, name=None, context=None):
            return super().create_task(coro, name=name, context=context)

    for count, loop_factory in enumerate((Loop, Outer), 1):
        run(create_task(), loop_factory)
        assert outcome(child) == (count, 0, 0)


def test_an_awaitable_without_a_name_is_named_after_its_type():
    class Request:
        def __await__(self):
            return child().__await__()

    class Unhelpful(Request):
        def __getattr__(self, name):
            raise RuntimeError(name)

    @types.coroutine
    def generator_based():
        yield

    async def main():
        await asyncio.ensure_future(Request())
        await asyncio.gather(Unhelpful())
        if sys.version_info < (3, 12):
            await asyncio.create_task(generator_based())

    run(main())
    prefix = test_an_awaitable_without_a_name_is_named_after_its_type.__qualname__ + ".<locals>."
    for name in ("Request", "Unhelpful", "main"):
        assert rows()[prefix + name].count == 1
    assert (prefix + "generator_based" in rows()) == (sys.version_info < (3, 12))


def test_the_main_task_of_uvloops_own_run_has_the_name_of_its_coroutine():
    uvloop.run(create_task())
    assert outcome(create_task) == (1, 0, 0)


def test_outcomes_are_told_apart(any_loop):
    async def main():
        await asyncio.gather(failing(), child(), return_exceptions=True)
        await cancelled(asyncio.create_task(waiting()))

    run(main(), any_loop)
    assert [outcome(f) for f in (failing, child, waiting)] == [(1, 1, 0), (1, 0, 0), (1, 0, 1)]


def test_instrumenting_twice_gives_one_scope():
    instrument_tasks()
    run(create_task())
    assert outcome(child) == (1, 0, 0)
