"""Putting a measuring function in the place of a test function, and the original back."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest

from allocmeter._core.own import OWN
from allocmeter.callables import Kind, is_async, kind_of
from allocmeter.testing.arguments import positional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allocmeter.testing.measurement import Measurement

# What `@given` calls, as it was before any plugin that runs async tests replaced it.
INNER_TEST = pytest.StashKey[Any]()

_NOT_ASYNC = (
    "it is no async function, but returned an awaitable: what is awaited later was not measured"
)

_UNMEASURABLE = (Kind.GENERATOR, Kind.ASYNC_GENERATOR)


def measuring(fn: Callable[..., Any], measurement: Measurement) -> Callable[..., Any]:
    """Return a function that calls `fn` measured: a coroutine function if `fn` is one.

    A wrapper of another kind than its function would have an async test skipped, or only the
    creation of its coroutine measured.
    """
    return (_measuring_coroutine_function if is_async(fn) else _measuring_function)(fn, measurement)


def _measuring_function(fn: Callable[..., Any], measurement: Measurement) -> Callable[..., Any]:
    @functools.wraps(fn)
    def measured(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        result = None
        with OWN:
            target, arguments, rest = positional(fn, args, kwargs)
        try:
            try:
                for scope in measurement.rounds():
                    result = None
                    if rest:
                        with scope:
                            result = target(*arguments, **rest)
                    else:
                        with scope:
                            result = target(*arguments)
                    if hasattr(result, "__await__"):
                        measurement.unavailable = _NOT_ASYNC
                    del scope  # its memory is not to be found by the next round
            except BaseException as error:
                if not measurement.is_done(error):
                    raise
            with OWN:
                again = measurement.repetition(functools.partial(target, *arguments, **rest))
            leaks = None if again is None else again.run()
        except BaseException:
            measurement.fail()
            raise
        measurement.end(leaks)
        return result

    return measured


def _measuring_coroutine_function(
    fn: Callable[..., Any], measurement: Measurement
) -> Callable[..., Any]:
    creates_coroutine = kind_of(fn) is Kind.COROUTINE

    @functools.wraps(fn)
    async def measured(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        result = None
        try:
            try:
                for scope in measurement.rounds():
                    if creates_coroutine:
                        with OWN:
                            body = fn(*args, **kwargs)
                        with scope:
                            result = await body
                    else:  # it may do any amount of work before it returns its awaitable
                        with scope:
                            result = await fn(*args, **kwargs)
                    del scope  # its memory is not to be found by the next round
            except BaseException as error:
                if not measurement.is_done(error):
                    raise
            with OWN:
                again = measurement.repetition(functools.partial(fn, *args, **kwargs))
            leaks = None if again is None else await again.run_async()
        except BaseException:
            measurement.fail()
            raise
        measurement.end(leaks)
        return result

    return measured


@contextmanager
def replaced(item: pytest.Function, measurement: Measurement) -> Iterator[None]:
    """Have the item call a measuring function; put things back as they were when it is done.

    Plugins that run async tests, and those that run a test again, put functions of their own in
    the same places; these go as well, so that each run finds what the first one found.
    """
    holder, name = _place_of(item)
    found = getattr(holder, name)
    original = item.stash.get(INNER_TEST, found) if name == "inner_test" else found
    if kind_of(original) in _UNMEASURABLE:
        yield
        return
    setattr(holder, name, measuring(original, measurement))
    try:
        yield
    finally:
        if holder is item.instance:
            delattr(holder, name)
        else:
            setattr(holder, name, found)


def _place_of(item: pytest.Function) -> tuple[Any, str]:
    """Return the object and its attribute from which the function of the item is called."""
    handle = hypothesis_handle(item)
    if handle is not None:
        return handle, "inner_test"
    if is_unittest(item) and iscoroutinefunction(item.obj):
        # unittest runs these by itself, and looks them up on the instance.
        return item.instance, item.name
    return item, "obj"


def hypothesis_handle(item: pytest.Function) -> Any:
    """Return where Hypothesis keeps the function that `@given` was applied to, or `None`."""
    handle = getattr(item.obj, "hypothesis", None)
    return handle if hasattr(handle, "inner_test") else None


def is_unittest(item: pytest.Function) -> bool:
    """Tell whether unittest calls the function of an item."""
    from unittest import TestCase

    return isinstance(item.instance, TestCase)
