"""Where asyncio and uvloop create tasks.

That is `create_task` of the event loop classes, whatever factory makes them. A factory of our own
would be gone as soon as the program sets one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from allocmeter.integrations._asyncio_repr import without
from allocmeter.integrations._asyncio_scopes import TaskEnd, hide, prepare, start
from allocmeter.integrations._patches import Patches
from allocmeter.integrations._task_scopes import switch

if TYPE_CHECKING:
    from types import ModuleType

_GENUINE = ("asyncio.base_events", "uvloop.loop")
_ANY_KEYWORD = 0x08  # inspect.CO_VARKEYWORDS

_patches = Patches()
_eager_factory: Any = None  # asyncio's, since Python 3.12


def instrument_asyncio(asyncio: ModuleType) -> None:
    """Give scopes to the tasks of every event loop that is derived from asyncio's own."""
    global _eager_factory  # noqa: PLW0603 - known once asyncio is
    prepare()
    _patches.apply(asyncio.base_events.BaseEventLoop, "create_task", _creating)
    _patches.apply(asyncio.base_futures, "_future_repr_info", without(TaskEnd))
    eager = getattr(asyncio, "eager_task_factory", None)
    if eager is not None:
        # Not only the factory uses the constructor in here: anyio takes it out of the factory, for
        # tasks that are not to start at once.
        _patches.apply(eager.__closure__[0], "cell_contents", _constructing)
        _eager_factory = eager


def instrument_uvloop(uvloop: ModuleType) -> None:
    """Give scopes to the tasks of uvloop's event loops."""
    _patches.apply(uvloop.Loop, "create_task", _creating)


def restore() -> None:
    """Put back what is still ours."""
    _patches.undo()


def _creating(create: Any) -> Any:
    """Return a `create_task` that gives the task a scope."""
    genuine = create.__module__ in _GENUINE and not hasattr(create, "__wrapped__")

    @functools.wraps(create)
    def with_any_keyword(self: Any, coro: Any, **kwargs: Any) -> Any:
        end = _start(self, coro, kwargs.get("context"), genuine)
        if end is None:
            task = create(self, coro, **kwargs)
            hide(task)
            return task
        if end.context is not None:
            kwargs["context"] = end.context
        task = None
        try:
            task = create(self, coro, **kwargs)
        finally:
            end.follow(task)
        return task

    if not genuine or create.__code__.co_flags & _ANY_KEYWORD:
        return with_any_keyword

    # A dictionary of keywords would be charged to the code that creates the task.
    @functools.wraps(create)
    def create_task(
        self: Any, coro: Any, *, name: Any = None, context: Any = None, eager_start: Any = None
    ) -> Any:
        if eager_start is not None:
            return with_any_keyword(self, coro, name=name, context=context, eager_start=eager_start)
        end = _start(self, coro, context, genuine)
        if end is None:
            task = create(self, coro, name=name, context=context)
            hide(task)
            return task
        task = None
        try:
            task = create(self, coro, name=name, context=end.context)
        finally:
            end.follow(task)
        return task

    return create_task


def _start(loop: Any, coro: Any, context: Any, genuine: bool) -> TaskEnd | None:
    factory = loop.get_task_factory()
    if not switch.on or (factory is _eager_factory and factory is not None):
        return None  # the constructor of eager tasks does it
    # Another factory may take no context, or take one and do nothing with it.
    return start(coro, context, loop, inherit=factory is not None or not genuine)


def _constructing(construct: Any) -> Any:
    """Return a constructor of tasks that gives the task a scope."""

    @functools.wraps(construct, updated=())
    def constructor(
        coro: Any,
        *,
        loop: Any = None,
        name: Any = None,
        context: Any = None,
        eager_start: Any = False,
    ) -> Any:
        end = start(coro, context, loop) if switch.on else None
        if end is None:
            task = construct(coro, loop=loop, name=name, context=context, eager_start=eager_start)
            hide(task)
            return task
        task = None
        try:
            task = construct(
                coro, loop=loop, name=name, context=end.context, eager_start=eager_start
            )
        finally:
            end.follow(task)
        return task

    return constructor
