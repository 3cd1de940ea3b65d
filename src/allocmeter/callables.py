"""What a call of a callable creates: its result, a coroutine or a generator."""

from __future__ import annotations

import functools
from enum import Enum, auto
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Kind(Enum):
    """What a callable's code says of a call; all but a plain one run nothing of it yet."""

    PLAIN = auto()
    COROUTINE = auto()
    GENERATOR = auto()
    GENERATOR_BASED_COROUTINE = auto()
    ASYNC_GENERATOR = auto()


def kind_of(fn: Callable[..., Any]) -> Kind:
    """Return the kind of a function, a partial of one, or an object with a `__call__`."""
    from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_ITERABLE_COROUTINE

    code = getattr(_called(fn), "__code__", None)
    flags = code.co_flags if isinstance(code, CodeType) else 0
    if flags & CO_COROUTINE:
        return Kind.COROUTINE
    if flags & CO_ASYNC_GENERATOR:
        return Kind.ASYNC_GENERATOR
    if flags & CO_ITERABLE_COROUTINE:
        return Kind.GENERATOR_BASED_COROUTINE
    return Kind.GENERATOR if flags & CO_GENERATOR else Kind.PLAIN


def is_marked(fn: Callable[..., Any]) -> bool:
    """Tell whether `inspect` takes `fn` for a coroutine function, be it only for a mark.

    A function marked by `inspect.markcoroutinefunction` may do any amount of work before it
    returns its awaitable, and so is plain by its kind.
    """
    from inspect import iscoroutinefunction

    return iscoroutinefunction(fn) or iscoroutinefunction(_called(fn))


def is_coroutine_function(fn: Callable[..., Any]) -> bool:
    """Tell whether calling `fn` creates a coroutine and runs nothing of its body yet.

    Raises:
        TypeError: `fn` is a generator function.
    """
    kind = kind_of(fn)
    if kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR):
        raise TypeError(
            f"{innermost(fn)!r} is a generator function: calling it only creates the generator, "
            "and what its body allocates would go unmeasured. Decorate it with @measured, or use "
            "`with measure():` around the loop that consumes it."
        )
    return kind is Kind.COROUTINE


def is_async(fn: Callable[..., Any]) -> bool:
    """Tell whether a call of `fn` must be awaited, as its code or a mark says.

    Raises:
        TypeError: `fn` is a generator function.
    """
    return is_coroutine_function(fn) or is_marked(fn)


def innermost(fn: Any) -> Any:
    """Return what a partial, or a partial of partials, calls; anything else as it is."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def _called(fn: Any) -> Any:
    target = innermost(fn)
    # Looked up on the type, as a call does: a class whose instances have an async `__call__`
    # is itself called synchronously.
    return target if hasattr(target, "__code__") else type(target).__call__
