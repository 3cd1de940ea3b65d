"""Learning of every named scope that closes, while somebody wants to know.

The core closes scopes without a word to Python. For as long as there is an observer, `measure` has
methods in place of the core's which close the scope first and then tell the observer. They allocate
nothing while the scope is current. Without an observer nothing is in place and nothing is paid.
"""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

import gc
from types import MethodType
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter._core.types import NativeScope
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

_observer: Callable[[measure], None] | None = None
_is_collecting = False


def begin(observer: Callable[[measure], None]) -> None:
    """Have `observer` called with every named scope that closes, where and when it does.

    It runs in the thread and the context that closed the scope, outside of it, and what it
    allocates is charged to the library. An exception is logged and ends the observation.
    """
    global _observer  # noqa: PLW0603 - there is one `measure`
    _observer = observer
    for name, method in _METHODS.items():
        setattr(measure, name, method)
    if _note_collection not in gc.callbacks:
        gc.callbacks.insert(-1, _note_collection)  # the last one is the core's, if it is there


def end() -> None:
    """Tell nobody any more."""
    global _observer  # noqa: PLW0603
    _observer = None
    for name, method in _METHODS.items():
        if vars(measure).get(name) is method:
            delattr(measure, name)
    if _note_collection in gc.callbacks:
        gc.callbacks.remove(_note_collection)


def is_collecting() -> bool:
    """Whether the garbage collector is at work.

    A finalizer that closes a scope may run in the middle of anything, also of code that holds a
    lock which an observer wants.
    """
    return _is_collecting


def _note_collection(phase: str, _info: Any) -> None:
    global _is_collecting  # noqa: PLW0603
    _is_collecting = phase == "start"


def _tell(scope: measure) -> None:
    observer = _observer
    if observer is None:
        return
    with OWN:
        try:
            observer(scope)
        except Exception:
            from logging import getLogger

            end()
            getLogger("allocmeter").exception(
                "figures of a finished scope could not be exported, and no more will be; scopes "
                "are measured as before and report() has their figures"
            )


def _exit(
    self: measure,
    exc_type: type[BaseException] | None,
    exc: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    was_open = self.is_open
    NativeScope.__exit__(self, exc_type, exc, traceback)
    if was_open and self.name is not None:
        _tell(self)


def _aexit(
    self: measure,
    exc_type: type[BaseException] | None,
    exc: BaseException | None,
    traceback: TracebackType | None,
) -> Awaitable[None]:
    was_open = self.is_open
    left = NativeScope.__aexit__(self, exc_type, exc, traceback)
    if was_open and self.name is not None:
        _tell(self)
    return left


def _close(self: measure, error: BaseException | None) -> None:
    was_open = self.is_open
    NativeScope._close(self, error)
    if was_open and self.name is not None:
        _tell(self)


class _Method:
    """A method that is bound outside of the current scope, as the core's own are.

    The statement `with` binds `__exit__` before it enters, so within the scope around.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __get__(self, scope: measure | None, owner: type) -> Any:
        with OWN:
            return self._function if scope is None else MethodType(self._function, scope)


_METHODS = {"__exit__": _Method(_exit), "__aexit__": _Method(_aexit), "_close": _Method(_close)}
