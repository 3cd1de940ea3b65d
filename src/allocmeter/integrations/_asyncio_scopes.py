"""The scope of one asyncio task: opened before the task is created, closed when it is done."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

import sys
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from allocmeter._core.figures import current_scope
from allocmeter._core.own import OWN, own_context
from allocmeter.integrations._task_names import name_of
from allocmeter.integrations._task_scopes import enter_scope, switch
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    Close = Callable[[BaseException | None], None]

_CANCELLED = GeneratorExit()  # counts as a cancellation, and needs no event loop to be there

_own = Context()  # what runs in a copy of it works for us


def prepare() -> None:
    """Make what every task needs. Once is enough."""
    if not len(_own):
        _own.run(own_context().__enter__)


class TaskEnd:
    """The done callback that closes the scope of a task.

    Attributes:
        context: what to create the task in.
    """

    __slots__ = ("_close", "_own", "context")

    def __init__(self, close: Close, context: Context) -> None:
        self._close = close
        # Our part of the loop's work is to be charged to nobody else, nor may two loops, each in
        # its thread, be in one context.
        self._own = _own.copy()
        self.context = context

    def __call__(self, task: Any) -> None:
        try:
            # Asking for `exception()` would count as having retrieved it.
            cancelled = sys.modules["_asyncio"].Task.cancelled(task)
            self._close(_CANCELLED if cancelled else getattr(task, "_exception", None))
        except Exception:  # noqa: BLE001 - no failure of ours may reach the program
            switch.give_up()

    def follow(self, task: Any) -> None:
        """See to it that the scope ends with the task; `None`: it could not be created.

        The scope is closed before anybody who awaits the task goes on.
        """
        try:
            if task is None:
                return
            # The methods of the type itself: a class derived from it may count or refuse calls.
            base = sys.modules["_asyncio"].Task
            if base.done(task):  # an eager one
                self(task)
            else:
                base.add_done_callback(task, self, context=self._own)
        except Exception:  # noqa: BLE001 - no failure of ours may reach the program
            switch.give_up()


def start(coro: Any, context: Context | None, loop: Any) -> TaskEnd | None:
    """Open the scope of a task that is about to be created.

    Args:
        coro: what the task will run.
        context: the one that the caller wants the task to run in, if any.
        loop: the event loop of the task; `None`: the running one.

    Returns:
        What follows the task. `None`: the task shares the scope of its creator.
    """
    with OWN:
        try:
            if context is not None:
                if _is_at_work(context, loop):
                    return None
                entered = enter_scope(coro, context)
                return None if entered is None else TaskEnd(entered.close, context)
            scope = measure(name_of(coro))
            scope.__enter__()
            try:
                own = copy_context()
            finally:
                # Left here at once, it does not hold on to the scope around: tasks that each
                # start the next one would form a chain that is never freed.
                scope._suspend()
            return TaskEnd(scope._close, own)
        except Exception:  # noqa: BLE001 - no failure of ours may reach the program
            switch.give_up()
            return None


def _is_at_work(context: Context, loop: Any) -> bool:
    """Whether a context is the own one of a task that has not ended, with its scope in there."""
    try:
        scope: Any = context.run(current_scope)
    except RuntimeError:  # this code runs in it
        return True
    if scope is None or not scope.is_open or scope is current_scope():
        return False
    tasks = sys.modules["asyncio"].all_tasks(loop)
    return any(_context_of(task) is context for task in tasks)


def _context_of(task: Any) -> Any:
    # Before Python 3.12, and of other kinds of tasks, nobody can know it.
    get_context = getattr(task, "get_context", None)
    return None if get_context is None else get_context()
