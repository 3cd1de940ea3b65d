"""Putting a measuring function in the place of a test function, and the original back."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.callables import Kind, is_async, kind_of
from allocmeter.calls import call_measured
from allocmeter.testing.arguments import positional
from allocmeter.testing.figures import figures_of, largest, smallest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from allocmeter.scopes import measure
    from allocmeter.testing.figures import TestFigures

_UNMEASURABLE = (Kind.GENERATOR, Kind.ASYNC_GENERATOR)


class Measurement:
    """Measures the calls of one test function: an account, as `allocmeter.calls` has it.

    Args:
        rounds: how often the function is called where it would be called once.
        examine: told the figures of each call, of all its rounds together; may raise.
    """

    def __init__(
        self, rounds: int = 1, examine: Callable[[TestFigures], None] | None = None
    ) -> None:
        self.name = None
        self.rounds = rounds
        self._examine = examine
        self._rounds_done: list[TestFigures] = []
        self._calls: list[TestFigures] = []

    def settle(self, scope: measure, result: Any, error: BaseException | None) -> Any:
        """Take in one round."""
        self._rounds_done.append(figures_of(scope))
        if error is not None:
            self._end_call()
        return result

    def end_call(self) -> None:
        """Take in what the rounds of one call add up to."""
        with OWN:
            figures = self._end_call()
            if self._examine is not None:
                self._examine(figures)

    def _end_call(self) -> TestFigures:
        figures = smallest(self._rounds_done)
        self._rounds_done.clear()
        # Of thousands of examples one is kept.
        self._calls[:] = [largest([*self._calls, figures])]
        return figures

    @property
    def figures(self) -> TestFigures | None:
        """Of the call, or the largest of several calls; `None`: there was none."""
        return self._calls[0] if self._calls else None


def measuring(fn: Callable[..., Any], measurement: Measurement) -> Callable[..., Any]:
    """Return a function that calls `fn` measured: a coroutine function if `fn` is one.

    A wrapper of another kind than its function would have an async test skipped, or only the
    creation of its coroutine measured.
    """
    if is_async(fn):

        @functools.wraps(fn)
        async def measured_async(*args: Any, **kwargs: Any) -> Any:
            result = None
            for _ in range(measurement.rounds):
                result = await call_measured(measurement, fn, args, kwargs)
            measurement.end_call()
            return result

        return measured_async

    @functools.wraps(fn)
    def measured(*args: Any, **kwargs: Any) -> Any:
        result = None
        with OWN:
            target, arguments, rest = positional(fn, args, kwargs)
        for _ in range(measurement.rounds):
            result = call_measured(measurement, target, arguments, rest)
        measurement.end_call()
        return result

    return measured


@contextmanager
def replaced(item: pytest.Function, measurement: Measurement) -> Iterator[None]:
    """Have the item call a measuring function; put things back as they were when it is done.

    Plugins that run async tests, and those that run a test again, put functions of their own in
    the same places; these go as well, so that each run finds what the first one found.
    """
    holder, name = _place_of(item)
    original = getattr(holder, name)
    if kind_of(original) in _UNMEASURABLE:
        yield
        return
    held = vars(holder).get(name, holder) if holder is item.instance else None
    setattr(holder, name, measuring(original, measurement))
    try:
        yield
    finally:
        if held is holder:
            delattr(holder, name)
        else:
            setattr(holder, name, original)


def _place_of(item: pytest.Function) -> tuple[Any, str]:
    """Return the object and its attribute from which the function of the item is called."""
    from inspect import iscoroutinefunction
    from unittest import TestCase

    handle = getattr(item.obj, "hypothesis", None)
    if handle is not None and hasattr(handle, "inner_test"):
        return handle, "inner_test"
    if isinstance(item.instance, TestCase) and iscoroutinefunction(item.obj):
        # unittest runs these by itself, and looks them up on the instance.
        return item.instance, item.name
    return item, "obj"
