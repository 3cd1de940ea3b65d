"""Run one call, plain or async, in a scope of its own: what all that measures calls shares."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from allocmeter._core.own import OWN
from allocmeter.callables import is_async, is_coroutine_function
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

P = ParamSpec("P")
T = TypeVar("T")


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


def wrap(account: Account, fn: Callable[P, T]) -> Callable[P, T]:
    """Return a function that calls `fn` by `call_measured`, a coroutine function if `fn` is one.

    Raises:
        TypeError: `fn` is a generator function.
    """
    if is_async(fn):

        @functools.wraps(fn)
        async def measured_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await call_measured(account, fn, args, kwargs)

        return cast("Callable[P, T]", measured_async)

    @functools.wraps(fn)
    def measured(*args: P.args, **kwargs: P.kwargs) -> T:
        return cast("T", call_measured(account, fn, args, kwargs))

    return measured


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
        scope._close(error)
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
