"""H20 and H24 to H28: where a scope is current, where it is not, and when its figures are final."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import trio

from allocmeter import Registry, measure, measured
from allocmeter._core.figures import current_scope
from allocmeter._core.library import find
from children import measuring
from pytest_suites import verdicts

SIZE = 100_000
HUGE = 50_000_000  # more than anything that is imported meanwhile


def block():
    return bytes(SIZE)


def test_h20_a_change_of_context_that_fires_no_event_is_seen():
    # Greenlets switch contexts without entering them; 3.14's watchers are not told.
    pytest.importorskip("greenlet")
    found = measuring("""
import contextvars, greenlet

def run(number):
    with measure() as scope:
        scopes.append(scope)
        for _ in range(20):
            kept.append(bytes(100_000 * number))
            hub.switch()

kept, scopes, hub = [None] * 100, [], greenlet.getcurrent()
workers = [greenlet.greenlet(run) for _ in range(4)]
for worker in workers:
    worker.gr_context = contextvars.copy_context()
for number, worker in enumerate(workers, 1):
    worker.switch(number)
while any(not worker.dead for worker in workers):
    for worker in workers:
        if not worker.dead:
            worker.switch()
print(json.dumps([scope.stats.bytes_allocated // 100_000 for scope in scopes]))
""")
    # Each switch copies a piece of the stack into a block of its own.
    for number, hundreds in enumerate(found, 1):
        assert 20 * number <= hundreds <= 20 * number + 3


def test_h20_contexts_entered_in_turn_keep_their_scopes_and_no_watcher_is_needed():
    contexts = [contextvars.Context() for _ in range(3)]
    scopes = [measure() for _ in contexts]
    for context, scope in zip(contexts, scopes, strict=True):
        context.run(scope.__enter__)
    kept = [context.run(block) for _ in range(50) for context in contexts]
    assert current_scope() is None
    for scope in scopes:
        assert 50 * SIZE <= scope.stats.bytes_allocated < 51 * SIZE
    for context, scope in zip(contexts, scopes, strict=True):
        context.run(scope.__exit__, None, None, None)
    del kept
    assert b"PyContext_AddWatcher" not in Path(find()).read_bytes()


@pytest.mark.anyio
async def test_h24_wrapped_coroutine_functions_are_such_and_their_bodies_are_measured():
    registry = Registry()

    @measured("coroutine", registry=registry)
    async def coroutine():
        await anyio.lowlevel.checkpoint()
        return block()

    @measured("generator", registry=registry)
    async def generator():
        yield block()
        await anyio.lowlevel.checkpoint()
        yield block()

    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isasyncgenfunction(generator)
    created = coroutine()
    assert registry.report().rows == ()
    kept = [await created, *[item async for item in generator()]]
    assert registry.row("coroutine").bytes_allocated.sum >= SIZE
    assert registry.row("generator").bytes_allocated.sum >= 2 * SIZE
    del kept


H24_TESTS = """
    import pytest

    pytestmark = [pytest.mark.anyio, pytest.mark.limit_allocations(bytes="50 KiB")]

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    async def test_over():
        bytearray(100_000)

    async def test_under():
        bytearray(10_000)
"""


def test_h24_the_pytest_plugin_has_the_body_of_an_async_test_run_and_measured(suite):
    found = suite.run(H24_TESTS)
    assert verdicts(found) == {"test_over": "failed", "test_under": "passed"}
    assert found["test_over"].properties["allocmeter.bytes"] > 100_000
    assert 10_000 < found["test_under"].properties["allocmeter.bytes"] < 50_000


def test_h25_leaving_in_another_context_never_raises_and_leaves_nothing_current():
    async def ticks(scopes):
        with measure() as scope:
            scopes.append(scope)
            while True:
                yield

    def step(awaitable):
        with pytest.raises(StopIteration):
            awaitable.send(None)

    scopes, contexts = [], [contextvars.Context() for _ in range(2)]
    generator = ticks(scopes)
    contexts[0].run(step, generator.asend(None))
    assert contexts[0].run(current_scope) is scopes[0]
    contexts[1].run(step, generator.aclose())
    assert scopes[0].is_closed
    assert [context.run(current_scope) for context in contexts] == [None, None]
    kept = contexts[0].run(block)
    assert scopes[0].stats.bytes_allocated + scopes[0].late_stats.bytes_allocated < len(kept)


@pytest.mark.anyio
async def test_h26_the_scope_of_a_generator_is_not_current_in_its_consumer():
    registry = Registry()

    @measured("items", registry=registry)
    async def items():
        for _ in range(3):
            assert current_scope() is not None
            yield block()

    with measure() as consumer:
        kept = []
        async for item in items():
            assert current_scope() is consumer
            kept.append((item, block()))
    assert 3 * SIZE <= registry.row("items").bytes_allocated.sum < 4 * SIZE
    assert 6 * SIZE <= consumer.stats.bytes_allocated < 7 * SIZE


@pytest.mark.anyio
async def test_h27_a_scope_follows_into_worker_threads_that_copy_the_context(anyio_backend):
    name, _ = anyio_backend
    ways = [anyio.to_thread.run_sync]
    ways.append(asyncio.to_thread if name == "asyncio" else trio.to_thread.run_sync)
    for to_thread in ways:
        for _ in range(3):  # the same worker, another scope
            with measure() as scope:
                kept = await to_thread(block)
            assert SIZE <= scope.stats.bytes_allocated < 2 * SIZE
            del kept


def test_h27_an_executor_does_not_and_the_documentation_says_so():
    async def main():
        with ThreadPoolExecutor(1) as executor:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(executor, block)
            with measure() as scope:
                kept = await loop.run_in_executor(executor, block)
            return scope.stats.bytes_allocated, len(kept)

    allocated, _ = asyncio.run(main())
    assert allocated < SIZE
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert re.search(r"run_in_executor`\s+does\s+not\s+copy\s+the\s+context", readme)


@pytest.mark.anyio
async def test_h28_work_that_outlives_its_scope_is_kept_apart_from_the_final_figures():
    ended, done, kept = anyio.Event(), anyio.Event(), []

    async def background():
        await ended.wait()
        kept.append(bytes(HUGE))
        done.set()

    async with anyio.create_task_group() as tasks:
        async with measure() as scope:
            tasks.start_soon(background)
            await anyio.wait_all_tasks_blocked()
        final = scope.stats
        ended.set()
        await done.wait()
    assert scope.stats == final
    assert final.bytes_allocated < HUGE
    assert scope.late_stats.bytes_allocated >= HUGE
    assert scope.retained_bytes >= HUGE
    kept.clear()
    assert scope.retained_bytes < HUGE
