"""What the scope of a task is called."""

from __future__ import annotations

import functools
from typing import Any

# Coroutines that libraries put around the one they were given, which is what the user knows: the
# module and name of each, and which of its variables leads there.
_SHELLS = {
    "_wrap_awaitable": ("asyncio.tasks", "awaitable"),  # Python 3.11
    "ensure_future.<locals>._wrap_awaitable": ("asyncio.tasks", "awaitable"),
    "run.<locals>.wrapper": ("uvloop", "main"),
    "TaskHandle._run_coro": ("anyio._core._tasks", "self._coro"),
    "TaskGroup.start.<locals>.run_coro_with_task_status": ("anyio._backends._trio", "func"),
    "Runner.spawn_impl.<locals>.python_wrapper": ("trio._core._run", "orig_coro"),
    "Run.run_system": ("trio._threads", "self.afn"),
}


def name_of(awaitable: Any) -> str:
    """Return the `__qualname__` of a coroutine, or of what a library's coroutine stands for.

    Of an object that has none, such as an awaitable of an extension module, that of its type.
    """
    try:
        name = awaitable.__qualname__
    except Exception:  # noqa: BLE001 - an object of the program may answer with anything
        name = None
    if type(name) is str and name not in _SHELLS:
        return name
    if isinstance(name, str):
        inside = _inside(awaitable, *_SHELLS.get(name, ("", "")))
        return name if inside is None else name_of(inside)
    if isinstance(awaitable, functools.partial):
        return name_of(awaitable.func)
    return type(awaitable).__qualname__


def _inside(shell: Any, module: str, variable: str) -> Any:
    """Return the value of a variable of a coroutine that has not started, or `None`."""
    frame = getattr(shell, "cr_frame", None) or getattr(shell, "gi_frame", None)
    if frame is None or frame.f_globals.get("__name__") != module:
        return None
    first, _, attribute = variable.partition(".")
    variables = frame.f_locals
    value = variables.get(first)
    if type(variables) is dict:
        # Before Python 3.13 a copy, which the frame keeps. What the coroutine deletes, as anyio's
        # does to break a cycle with its exception, would live on in it.
        variables.clear()
    return getattr(value, attribute, None) if attribute else value
