"""The scope of one task, whatever event loop runs it."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from allocmeter.integrations._switch import Switch
from allocmeter.integrations._task_names import name_of
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from contextvars import Context
    from typing import Any

switch = Switch(
    "giving a task a scope of its own failed: from here on, tasks share the scope of the "
    "code that starts them. The tasks are not affected, and figures of scopes that were "
    "finished are kept. Please report this error",
    on=False,
)

# The contexts, by id, that a scope was entered in for a task which has not ended. What enters a
# scope holds its context, so an id that is listed is that of a context that exists.
_occupied: set[int] = set()


class EnteredScope:
    """The scope of a task, current in a context that was made by somebody else.

    Forgotten without having been closed, because its task was, it leaves the context, which may be
    used again, and counts nowhere.
    """

    __slots__ = ("_context", "_scope")

    def __init__(self, scope: measure, context: Context) -> None:
        self._scope = scope
        self._context: Context | None = context
        _occupied.add(id(context))

    def close(self, error: BaseException | None) -> None:
        """End the scope: its figures are final. `error` is what ended the task, if anything."""
        self._leave()
        self._scope._close(error)

    def _leave(self) -> None:
        context, self._context = self._context, None
        if context is None:
            return
        _occupied.discard(id(context))
        try:
            context.run(self._scope._suspend)
        except RuntimeError:  # somebody is inside; the scope is passed over there from now on
            self._scope._suspend()

    def __del__(self) -> None:
        self._leave()


def enter_scope(coroutine: Any, context: Context) -> EnteredScope | None:
    """Open a scope for a task in a context that was made by somebody else.

    `None` if that would take the steps of other code for those of the task: another task with a
    scope is at work in this context, or this very code is.
    """
    if id(context) in _occupied:
        return None
    scope = measure(name_of(coroutine))
    with suppress(RuntimeError):
        context.run(scope.__enter__)
    return EnteredScope(scope, context) if scope.is_open else None
