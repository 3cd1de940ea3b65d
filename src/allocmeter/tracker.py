"""Measure one call, of a plain or an async callable, in a scope of its own."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from allocmeter._core.own import OWN
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping


P = ParamSpec("P")
T = TypeVar("T")

_ATTRIBUTE = "__allocation_stats__"


class AllocationTracker:
    """Run a callable and return its result together with what it allocated.

    Every call has a scope of its own, and nothing is kept between calls, so one tracker, or
    the class itself, may be used from any number of tasks and threads at once. That is also
    why the figures of a failed call travel on its exception: kept on the tracker, they would
    be overwritten by a neighbour's.
    """

    __slots__ = ()

    @overload
    @staticmethod
    def measure(  # type: ignore[overload-overlap]  # the first that fits is meant to win
        fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, tuple[T, AllocationStats]]: ...

    @overload
    @staticmethod
    def measure(
        fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, AllocationStats]: ...

    @staticmethod
    def measure(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `fn` in a new scope.

        Args:
            fn: a plain callable, or an async one: a coroutine function, a `functools.partial`
                of one, an object whose `__call__` is one, or anything that returns an
                awaitable.
            args: passed to `fn`.
            kwargs: passed to `fn`. For a plain callable the interpreter unpacks them inside the
                scope, so its figures have a few small blocks more, some of which it may keep
                for reuse; arguments by position cost nothing.

        Returns:
            `(result, stats)`, or an awaitable of that if `fn` is async. The coroutine that
            calling a coroutine function creates is not in the figures; running it is.

        Raises:
            TypeError: `fn` is a generator function; calling it would only create the generator.
            BackendUnavailableError: the native library cannot be used.
            BaseException: whatever `fn` raised, a cancellation included; ask `stats_of` what
                had been allocated by then.
        """
        return call_measured(_RESULTS_WITH_STATS, fn, args, kwargs)

    @staticmethod
    def stats_of(error: BaseException) -> AllocationStats | None:
        """Return the figures of the measured call that an exception came out of.

        Args:
            error: an exception caught around `measure`, or around awaiting what it returned.

        Returns:
            The final figures of the last measured call that the exception left, which is the
            outermost so far if calls were nested; `None` if it left none.
        """
        stats = error.__dict__.get(_ATTRIBUTE)
        return stats if isinstance(stats, AllocationStats) else None


class Account(Protocol):
    """Who is told of a measured call when its scope has closed."""

    @property
    def name(self) -> str | None:
        """Of the scope; `None` leaves it unnamed."""

    def settle(self, scope: measure, result: Any, error: BaseException | None) -> Any:
        """Take in the closed scope and how the call ended.

        Returns:
            What the caller gets in place of `result`; ignored if there is an `error`, which
            propagates.
        """


def call_measured(
    account: Account, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Call `fn` in a new scope and settle it with `account` once it has closed.

    Args:
        account: names the scope and takes its figures in.
        fn: plain or async, but no generator function.
        args: passed to `fn`.
        kwargs: passed to `fn`.

    Returns:
        What `account.settle` returned, or a coroutine of it if `fn` is async or what it returned
        is awaitable.

    Raises:
        TypeError: `fn` is a generator function.
    """
    with OWN:
        from inspect import isawaitable

        creates_coroutine = is_coroutine_function(fn)
        scope = measure(account.name)
        if creates_coroutine:
            return _await_call(scope, fn, args, kwargs, account)
    scope.__enter__()
    try:
        result = fn(*args, **kwargs) if kwargs else fn(*args)
    except BaseException as error:
        _leave_failed(scope, error, account)
        raise
    scope._suspend()
    with OWN:
        if not isawaitable(result):
            scope._close(None)
            return account.settle(scope, result, None)
        awaitable = deque((result,))
        del result
        return _await_rest(scope, awaitable, account)


def is_coroutine_function(fn: Callable[..., Any]) -> bool:
    """Tell whether calling `fn` creates a coroutine and runs nothing of its body yet.

    Raises:
        TypeError: `fn` is a generator function.
    """
    from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_ITERABLE_COROUTINE
    from types import CodeType

    target: Any = fn
    while isinstance(target, functools.partial):
        target = target.func
    # Looked up on the type, as a call does: a class whose instances have an async `__call__`
    # is itself called synchronously. Marks such as inspect.markcoroutinefunction do not count:
    # such a function may do work before it returns its awaitable.
    code = getattr(target, "__code__", None) or getattr(type(target).__call__, "__code__", None)
    flags = code.co_flags if isinstance(code, CodeType) else 0
    generator = flags & (CO_GENERATOR | CO_ASYNC_GENERATOR)
    if generator and not flags & CO_ITERABLE_COROUTINE:
        raise TypeError(
            f"{target!r} is a generator function: calling it only creates the generator, and "
            "what its body allocates would go unmeasured. Decorate it with @measured, or use "
            "`with measure():` around the loop that consumes it."
        )
    return bool(flags & CO_COROUTINE)


async def _await_call(
    scope: measure,
    fn: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    account: Account,
) -> Any:
    # Begun before the call, so that arguments that do not fit count as a failure here too.
    scope._open()
    try:
        coroutine = fn(*args, **kwargs)
    except BaseException as error:
        scope._close(type(error))
        with OWN:
            account.settle(scope, None, error)
        raise
    with OWN:
        rest = _await_rest(scope, deque((coroutine,)), account)
    return await rest


async def _await_rest(scope: measure, awaitable: deque[Awaitable[Any]], account: Account) -> Any:
    scope._resume()
    try:
        # Popped, so that nothing of ours keeps the awaitable alive when it is done: one created
        # inside the scope would count as retained by it. A deque pops without reallocating.
        result = await awaitable.pop()
    except BaseException as error:
        _leave_failed(scope, error, account)
        raise
    scope.__exit__(None, None, None)
    with OWN:
        return account.settle(scope, result, None)


def _leave_failed(scope: measure, error: BaseException, account: Account) -> None:
    scope.__exit__(type(error), error, error.__traceback__)
    with OWN:
        account.settle(scope, None, error)


class _ResultsWithStats:
    name = None

    def settle(
        self, scope: measure, result: T, error: BaseException | None
    ) -> tuple[T, AllocationStats]:
        stats = scope.stats
        if error is not None:
            # Straight into the dictionary: a frozen dataclass as an exception refuses setattr().
            error.__dict__[_ATTRIBUTE] = stats
        return result, stats


_RESULTS_WITH_STATS = _ResultsWithStats()
