"""Where asyncio's tasks are made, whoever makes them.

Event loops, uvloop's too, task factories, eager ones or not, and servers that call `asyncio.Task`
themselves all end in the initialiser of one C type. The core takes part in it
(`_native/construction.h`): nothing of the program or of asyncio is wrapped, so nothing that is set
later can leave us out.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from allocmeter._core import types
from allocmeter.integrations._asyncio_repr import without
from allocmeter.integrations._asyncio_scopes import TaskEnd, prepare, start
from allocmeter.integrations._patches import Patches
from allocmeter.integrations._task_scopes import switch

if TYPE_CHECKING:
    from types import ModuleType

_patches = Patches()


def instrument_asyncio(asyncio: ModuleType) -> None:
    """Give scopes to the tasks of every event loop."""
    prepare()
    _patches.apply(asyncio.base_futures, "_future_repr_info", without(TaskEnd))
    types.native().am_follow_construction(sys.modules["_asyncio"].Task, _begin)


def restore() -> None:
    """Put back what is still ours, and take part no more."""
    _patches.undo()
    module = sys.modules.get("_asyncio")
    if module is not None:
        types.native().am_follow_construction(module.Task, None)


def _begin(args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """Open the scope of a task that is about to be initialised with these arguments.

    Called by the core. Returns the keyword arguments to use and what to call with the task, or
    `None` if it shares the scope of its creator.
    """
    if not switch.on:
        return None
    given = kwargs or {}
    # Wrong arguments are for the initialiser to refuse.
    coro = args[0] if args else given.get("coro")
    end = start(coro, given.get("context"), given.get("loop"))
    return None if end is None else ({**given, "context": end.context}, end.follow)
