"""Event loops may be imported before or after, and everything can be undone."""

from __future__ import annotations

import asyncio
import functools

import pytest
import trio

from allocmeter.integrations import tasks
from children import measuring
from instrumented import _instrumented, child, outcome, run  # noqa: F401

LATER = """
import importlib.machinery
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
before = list(sys.meta_path)
instrument_tasks()
found = {"loaded": [name for name in ("asyncio", "trio", "uvloop") if name in sys.modules]}
found["waiting"] = len(sys.meta_path) - len(before)
import asyncio, trio, uvloop
found["removed"] = sys.meta_path == before
found["loaders"] = all(
    type(loader) is importlib.machinery.SourceFileLoader
    for module in (asyncio, trio, uvloop)
    for loader in (module.__loader__, module.__spec__.loader)
)

async def child(): pass
async def with_asyncio():
    await asyncio.create_task(child())
async def with_trio():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)

asyncio.run(with_asyncio())
uvloop.run(with_asyncio())
trio.run(with_trio)
found["counts"] = [report_row.count for report_row in report().rows if report_row.name == "child"]
print(json.dumps(found))
"""

ABANDONED = """
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
before = list(sys.meta_path)
instrument_tasks()
instrument_tasks()
uninstrument_tasks()
uninstrument_tasks()
undone = sys.meta_path == before
import asyncio
async def child(): pass
async def main():
    await asyncio.create_task(child())
asyncio.run(main())
print(json.dumps([undone, len(report().rows)]))
"""

LOOKED_AT = """
import importlib.util
from allocmeter.integrations.tasks import instrument_tasks
instrument_tasks()
spec = importlib.util.find_spec("trio")
import trio
looked_at = type(spec.loader).__name__
print(json.dumps([looked_at, sorted(vars(trio.__spec__.loader))]))
"""

FAILING_IMPORT = """
import os, tempfile
from allocmeter.integrations.tasks import instrument_tasks
instrument_tasks()
directory = tempfile.mkdtemp()
sys.path.insert(0, directory)
path = os.path.join(directory, "trio.py")
outcomes = []
for text in ("raise ImportError('not today')", "__version__ = '0'"):
    with open(path, "w") as file:
        file.write(text)
    sys.path_importer_cache.clear()
    sys.dont_write_bytecode = True
    try:
        import trio
        outcomes.append(trio.__version__)
    except ImportError as error:
        outcomes.append(str(error))
import shutil
shutil.rmtree(directory)
print(json.dumps(outcomes))
"""


def test_what_is_imported_later_is_instrumented_and_nothing_is_imported_for_it():
    assert measuring(LATER) == {
        "loaded": [],
        "waiting": 1,
        "removed": True,
        "loaders": True,
        "counts": [3],
    }


def test_nothing_stays_behind_when_nothing_was_imported_meanwhile():
    assert measuring(ABANDONED) == [True, 0]


def test_an_import_that_fails_fails_as_ever_and_may_succeed_later():
    assert measuring(FAILING_IMPORT) == ["not today", "0"]


def test_two_threads_that_import_at_once_get_the_same_module():
    code = """
    from concurrent.futures import ThreadPoolExecutor
    from importlib import import_module
    from allocmeter.integrations.tasks import instrument_tasks
    instrument_tasks()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(import_module, ["trio", "asyncio"] * 4))
    import asyncio, trio
    print(json.dumps([
        len(set(map(id, found))),
        hasattr(trio._core._run.Runner.spawn_impl, "__wrapped__"),
        hasattr(asyncio.base_futures._future_repr_info.__wrapped__, "__wrapped__"),
    ]))
    """
    assert measuring(code) == [2, True, False]


# Undoing


def originals():
    runner = trio._core._run.Runner
    return [asyncio.base_futures._future_repr_info, runner.spawn_impl, runner.task_exited]


def test_undoing_puts_back_what_was_there():
    tasks.uninstrument_tasks()
    before = originals()
    for _ in range(3):
        tasks.instrument_tasks()
        assert all(now is not then for now, then in zip(originals(), before, strict=True))
        tasks.uninstrument_tasks()
        assert originals() == before


@pytest.mark.usefixtures("instrumented")
def test_what_somebody_put_on_top_stays_and_tasks_have_one_scope_or_none(monkeypatch):
    runner = trio._core._run.Runner
    ours = runner.spawn_impl
    calls = []

    @functools.wraps(ours)
    def on_top(self, async_fn, *args, **kwargs):
        calls.append(async_fn)
        return ours(self, async_fn, *args, **kwargs)

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    monkeypatch.setattr(runner, "spawn_impl", on_top)
    counts = []
    for switch in (tasks.instrument_tasks, tasks.uninstrument_tasks, tasks.instrument_tasks):
        switch()
        assert runner.spawn_impl is on_top
        trio.run(main)
        counts.append(outcome(child)[0])
    assert counts == [1, 1, 2]
    assert calls
    monkeypatch.undo()  # before the fixture puts back what is ours


@pytest.mark.usefixtures("instrumented")
def test_tasks_that_are_alive_when_scopes_are_given_up_still_end_theirs():
    async def main():
        early = asyncio.create_task(child())
        tasks.uninstrument_tasks()
        late = asyncio.create_task(child())
        await asyncio.gather(early, late)

    run(main())
    assert outcome(child) == (1, 0, 0)


def test_who_only_looks_for_a_module_finds_the_loader_that_it_has():
    assert measuring(LOOKED_AT) == ["SourceFileLoader", ["name", "path"]]
