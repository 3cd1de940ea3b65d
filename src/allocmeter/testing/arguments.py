"""Calling a test function so that the call itself allocates nothing."""

from __future__ import annotations

from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def positional(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]:
    """Return the same call with as many of its keywords as possible turned into positions.

    pytest passes fixtures by keyword, for which the interpreter makes a tuple and a table: blocks
    that would be charged to the test. A function that takes any arguments is called as it was: it
    may be a wrapper that adds positions of its own.
    """
    if isinstance(fn, MethodType):
        function, args = fn.__func__, (fn.__self__, *args)
        if isinstance(function, FunctionType):
            return positional(function, args, kwargs)
        return function, args, kwargs
    if not isinstance(fn, FunctionType) or fn.__code__.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        return fn, args, kwargs
    names = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    rest, found = dict(kwargs), list(args)
    for name in names[len(args) :]:
        if name not in rest:
            break
        found.append(rest.pop(name))
    return fn, tuple(found), rest
