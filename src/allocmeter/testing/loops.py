"""Having what event loops share start from the same state with each measured call.

Tables that live as long as the process grow every few entries, and whoever makes the entry pays. So
a test's figures would tell how many tasks the tests before it had; and trio shuffles tasks.
"""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from operator import call
from random import Random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# The sets in which asyncio keeps all tasks weakly: until 3.11, and from 3.12 on.
_SETS: Final = ("_all_tasks", "_scheduled_tasks")


def even_out() -> None:
    """Pack the tables that asyncio, anyio and trio keep, and seed the order in which trio runs.

    Tasks that are done, but wait for the garbage collector, are taken out of asyncio's, which does
    not count them any more either. Nothing of it can be seen by a test, unless it relies on trio's
    order to be another each time. Where a later version keeps things elsewhere, they are left as
    they are.
    """
    tasks: Any = sys.modules.get("asyncio.tasks")
    anyio: Any = sys.modules.get("anyio._backends._asyncio")
    trio: Any = sys.modules.get("trio._core._run")
    sets = [getattr(getattr(tasks, name, None), "data", None) for name in _SETS]
    for entries in sets:
        if isinstance(entries, set):
            entries.difference_update([entry for entry in list(entries) if _is_done(entry)])
    tables = [*sets, getattr(tasks, "_current_tasks", None), *_tables_of_trio(trio)]
    tables.append(getattr(getattr(anyio, "_task_states", None), "data", None))
    for table in tables:
        if isinstance(table, (dict, set)):
            _pack(table)
    generator = getattr(trio, "_r", None)
    if isinstance(generator, Random):
        generator.seed(0)


def _tables_of_trio(trio: Any) -> Iterator[Any]:
    """Yield what trio puts tasks in, and takes them out again, as long as the test runs."""
    running = getattr(trio, "GLOBAL_RUN_CONTEXT", None)
    yield getattr(running, "__dict__", None)
    yield getattr(getattr(running, "runner", None), "tasks", None)
    status = getattr(getattr(running, "task", None), "_cancel_status", None)
    yield getattr(status, "_children", None)
    yield getattr(status, "_tasks", None)
    lots = sys.modules.get("trio._core._parking_lot")
    yield getattr(lots, "GLOBAL_PARKING_LOT_BREAKER", None)


def _is_done(entry: Any) -> bool:
    task = entry()
    return task is None or bool(task.done())


def _pack(table: dict[Any, Any] | set[Any]) -> None:
    """Make a table anew with the same entries, without a moment at which another thread may run."""
    kept: Any = type(table)()
    steps = partial(kept.update, table), table.clear, partial(table.update, kept)
    perform: Any = call
    deque(map(perform, steps), maxlen=0)
