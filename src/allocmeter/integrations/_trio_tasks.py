"""Scopes for the tasks of trio.

Its public instruments have to be passed to each run, and are not told what became of a task. So
two methods of its `Runner` are wrapped, and left alone if they are not what is expected here.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from allocmeter._core.own import OWN
from allocmeter.integrations._patches import Patches
from allocmeter.integrations._task_scopes import EnteredScope, enter_scope, switch

if TYPE_CHECKING:
    from types import ModuleType

# What the methods must take, after the runner itself.
_SPAWN = ("async_fn", "args", "nursery", "name", "system_task", "context")
_EXITED = ("task", "outcome")

_patches = Patches()
_scopes: WeakKeyDictionary[Any, EnteredScope] = WeakKeyDictionary()


def instrument_trio(trio: ModuleType) -> None:
    """Give scopes to the tasks of every run of trio."""
    runner = getattr(sys.modules.get("trio._core._run"), "Runner", None)
    if _takes(runner, "spawn_impl", _SPAWN) and _takes(runner, "task_exited", _EXITED):
        _patches.apply(runner, "spawn_impl", _opening)
        _patches.apply(runner, "task_exited", _closing)
        return
    import logging

    logging.getLogger("allocmeter").warning(
        "this version of trio (%s) is unknown to instrument_tasks(), so its tasks share the scope "
        "around trio.run(); measure() works in them as ever",
        getattr(trio, "__version__", "unknown"),
    )


def restore() -> None:
    """Put back what is still ours."""
    _patches.undo()


def _takes(runner: Any, method: str, names: tuple[str, ...]) -> bool:
    function = getattr(runner, method, None)
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if code is None:
        return False
    count = code.co_argcount + code.co_kwonlyargcount
    taken: tuple[str, ...] = code.co_varnames[1:count]
    return taken == names


def _opening(spawn: Any) -> Any:
    @functools.wraps(spawn)
    def spawn_impl(
        self: Any,
        async_fn: Any,
        args: Any,
        nursery: Any,
        name: Any,
        *,
        system_task: bool = False,
        context: Any = None,
    ) -> Any:
        task = spawn(self, async_fn, args, nursery, name, system_task=system_task, context=context)
        # trio's own two tasks wait for the others and do no work: the one that has no nursery,
        # and the one that runs what threads ask for.
        if switch.on and nursery is not None:
            with OWN:
                if getattr(async_fn, "__self__", None) is not self.entry_queue:
                    _open(task)
        return task

    return spawn_impl


def _closing(exited: Any) -> Any:
    @functools.wraps(exited)
    def task_exited(self: Any, task: Any, outcome: Any) -> Any:
        with OWN:
            _close(task, outcome)
        return exited(self, task, outcome)

    return task_exited


def _open(task: Any) -> None:
    try:
        scope = enter_scope(task.coro, task.context)
        if scope is not None:
            _scopes[task] = scope
    except Exception:  # noqa: BLE001 - no failure of ours may reach the program
        switch.give_up()


def _close(task: Any, outcome: Any) -> None:
    try:
        scope = _scopes.pop(task, None)
        if scope is not None:
            scope.close(getattr(outcome, "error", None))
    except Exception:  # noqa: BLE001 - no failure of ours may reach the program
        switch.give_up()
