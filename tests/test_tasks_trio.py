"""Tasks of trio: its own ones stay out of sight, and what is unknown of it stays untouched."""

from __future__ import annotations

from contextvars import copy_context

import pytest
import trio
import trio.testing

from allocmeter import measure
from allocmeter._core.figures import current_scope
from allocmeter.integrations import tasks
from children import measuring
from instrumented import _instrumented, child, failing, outcome, rows  # noqa: F401

pytestmark = pytest.mark.usefixtures("instrumented")


def test_the_main_task_lies_within_the_scope_around_the_run_and_trios_own_have_none():
    async def main():
        return current_scope()

    with measure() as around:
        main_scope = trio.run(main)
    names = set(rows())
    assert names == {main_scope.name}
    assert around.stats.allocations > main_scope.stats.allocations


def test_a_system_task_of_the_program_has_a_scope():
    async def main():
        task = trio.lowlevel.spawn_system_task(child)
        assert task.coro.__qualname__ == "child"
        await trio.testing.wait_all_tasks_blocked()

    trio.run(main)
    assert outcome(child) == (1, 0, 0)


def test_system_tasks_in_one_context_share_the_scope_of_the_first():
    async def main():
        scopes = []
        shared = copy_context()
        trio.lowlevel.spawn_system_task(child, scopes, context=shared)
        trio.lowlevel.spawn_system_task(child, scopes, context=shared)
        await trio.testing.wait_all_tasks_blocked()
        return scopes, current_scope()

    (first, second), own = trio.run(main)
    assert first is second is not own
    assert outcome(child) == (1, 0, 0)


def test_a_coroutine_function_called_from_a_thread_gives_its_name_to_the_task():
    async def main():
        token = trio.lowlevel.current_trio_token()
        await trio.to_thread.run_sync(lambda: trio.from_thread.run(child, trio_token=token))

    trio.run(main)
    assert outcome(child) == (1, 0, 0)


def test_what_a_task_raises_and_its_context_are_its_own():
    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing, name="mine")
            (task,) = nursery.child_tasks
            assert task.name == "mine"

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert caught.group_contains(ValueError, match="on purpose")
    assert outcome(failing) == (1, 1, 0)


def test_tasks_that_are_alive_when_scopes_are_given_up_still_end_theirs():
    async def main():
        scopes = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, scopes)
            await trio.sleep(0)
            tasks.uninstrument_tasks()
            nursery.start_soon(child, scopes)
        return scopes

    scope, *_ = trio.run(main)
    assert scope.name == "child"
    assert scope.is_closed == (outcome(child) == (1, 0, 0))


UNKNOWN_TRIO = """
import os, tempfile, textwrap
directory = tempfile.mkdtemp()
sys.path.insert(0, directory)
os.makedirs(directory + "/trio/_core")
for name, text in {
    "trio/__init__.py": "__version__ = '99'; import trio._core._run",
    "trio/_core/__init__.py": "",
    "trio/_core/_run.py": "class Runner:\\n  def spawn_impl(self, tasks): pass",
}.items():
    with open(os.path.join(directory, name), "w") as file:
        file.write(text)
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
records = []
handler = logging.Handler()
handler.emit = lambda record: records.append(record.getMessage())
logging.getLogger("allocmeter").addHandler(handler)
instrument_tasks()
import trio
wrapped = hasattr(trio._core._run.Runner.spawn_impl, "__wrapped__")
import shutil
shutil.rmtree(directory)
print(json.dumps([records, wrapped]))
"""


def test_an_unknown_version_of_trio_is_left_alone_and_said_so():
    (message,), wrapped = measuring(UNKNOWN_TRIO)
    assert "trio (99) is unknown" in message
    assert not wrapped
