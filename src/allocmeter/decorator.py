"""Measure every call of a function in a scope of its own."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from allocmeter._core.own import OWN
from allocmeter.async_generators import first_step
from allocmeter.callables import Kind, innermost, is_marked, kind_of
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from allocmeter.registry import Registry

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class MeasuredDecorator(Protocol):
    """What `measured` returns when it is given a name or a registry first."""

    @overload
    def __call__(self, function: classmethod[T, P, R], /) -> classmethod[T, P, R]: ...
    @overload
    def __call__(self, function: staticmethod[P, R], /) -> staticmethod[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def measured(function: classmethod[T, P, R], /) -> classmethod[T, P, R]: ...
@overload
def measured(function: staticmethod[P, R], /) -> staticmethod[P, R]: ...
@overload
def measured(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def measured(name: str, /, *, registry: Registry | None = None) -> MeasuredDecorator: ...
@overload
def measured(*, name: str | None = None, registry: Registry | None = None) -> MeasuredDecorator: ...
def measured(
    function: Any = None, /, *, name: str | None = None, registry: Registry | None = None
) -> Any:
    """Measure each call of a function as `measure(name, registry=registry)` would.

    Usable as `@measured`, `@measured()`, `@measured("name")` and with keywords, on coroutine
    functions, generator and async generator functions, plain functions, methods,
    `classmethod` and `staticmethod` objects, partials, and objects with an (async) `__call__`.
    The result is of the same kind, and has the same signature and metadata.

    The scope of a coroutine function spans the awaiting of its coroutine, not its creation. The
    scope of a generator begins with its first step and ends with its last, or when it is closed
    or finalized; it is current only while the generator's own body runs, never in the consumer
    between two items. A plain function that returns an awaitable is measured until it returns.

    Args:
        function: what to measure, or the name of its scopes.
        name: of the scopes; by default the `__qualname__` of the function.
        registry: where the calls are aggregated; by default the process-wide one.

    Returns:
        The measured function, or a decorator if no function was given. Either is as safe to use
        from several tasks and threads as the function itself: a call shares nothing with another.

    Raises:
        TypeError: there is nothing here whose calls could be measured: a class, an object that
            cannot be called, or a coroutine or generator that has been created already.
    """
    if isinstance(function, str):
        if name is not None:
            raise TypeError(f"measured() got two names, {function!r} and {name!r}: give one.")
        function, name = None, function
    if name is not None and not isinstance(name, str):
        raise TypeError(f"the name of a scope is a str, not {type(name).__name__}: {name!r}")
    if function is None:
        return functools.partial(_decorate, name=name, registry=registry)
    return _decorate(function, name, registry)


def _decorate(function: Any, name: str | None, registry: Registry | None) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_decorate(function.__func__, name, registry))
    with OWN:
        _check(function)
        target = innermost(function)
        described = target if hasattr(target, "__qualname__") else type(target).__call__
        scope_name = described.__qualname__ if name is None else name
        wrapper = _wrapper_of(function)(function, scope_name, registry)
        functools.update_wrapper(wrapper, function)
        # A partial, or an object with a `__call__`, has no name or text of its own.
        functools.update_wrapper(wrapper, described, updated=())
        wrapper.__wrapped__ = function
        return wrapper


def _check(function: Any) -> None:
    if isinstance(function, type):
        raise TypeError(
            f"@measured would replace the class {function.__qualname__} by a function: decorate "
            "its methods, or use `with measure(name):` where it is instantiated."
        )
    if not callable(function):
        raise TypeError(
            f"@measured takes a function, or the name of its scopes, not a "
            f"{type(function).__name__} object: give it the function itself, not what calling it "
            "returned, and put it below decorators such as @property."
        )


def _wrapper_of(function: Any) -> Callable[[Any, str, Registry | None], Any]:
    kind = kind_of(function)
    if kind is Kind.PLAIN and is_marked(function):
        return _marked_coroutine_function
    return _WRAPPERS[kind]


def _plain_function(function: Any, name: str, registry: Registry | None) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            with measure(name, registry=registry):
                return function(*args, **kwargs)
        # Passing on an empty `**kwargs` would make a dictionary inside the scope.
        with measure(name, registry=registry):
            return function(*args)

    return wrapper


def _coroutine_function(function: Any, name: str, registry: Registry | None) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        scope = measure(name, registry=registry)
        with OWN:
            body = function(*args, **kwargs)
        del args, kwargs  # the body alone decides how long its arguments live
        with scope:
            return await body

    return wrapper


def _marked_coroutine_function(function: Any, name: str, registry: Registry | None) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        # Such a function may do any amount of work before it returns its awaitable.
        with measure(name, registry=registry):
            return await function(*args, **kwargs)

    return wrapper


class _Outlet:
    """Where the items of one generator leave its scope, without being kept alive here."""

    __slots__ = ("item", "scope")

    def __init__(self, scope: measure) -> None:
        self.item: Any = None
        self.scope = scope

    def take(self) -> Any:
        item, self.item = self.item, None
        return item

    def end(self, error: BaseException | None = None) -> None:
        self.scope._suspend()
        self.scope._close(None if isinstance(error, GeneratorExit) else error)

    def __del__(self) -> None:
        # A generator that goes on after GeneratorExit is discarded without another word to it.
        self.end()


def _generator_function(function: Any, name: str, registry: Registry | None) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with OWN:
            scope = measure(name, registry=registry)
            body = function(*args, **kwargs)
            scope._open()
            outlet = _Outlet(scope)
            resume, suspend, send = scope._resume, scope._suspend, body.send
            sys._getframe()  # else the traceback of the last step makes it, inside the scope
        del args, kwargs
        step: Callable[[Any], Any] = send
        argument: Any = None
        while True:
            resume()
            try:
                outlet.item = step(argument)
            except StopIteration as exhausted:
                suspend()
                result = exhausted.value
                break
            except BaseException as error:
                outlet.end(error)
                raise
            finally:
                argument = None  # an exception thrown in would form a cycle with this frame
            suspend()
            try:
                argument = yield outlet.take()
                step = send
            except BaseException as thrown:  # noqa: BLE001 - it is the body's to handle
                # GeneratorExit as well: the body may answer it, as that of a plain one may.
                step, argument = body.throw, thrown
        scope._close(None)  # not before the StopIteration is gone, a block of this scope
        return result

    return wrapper


def _generator_based_coroutine_function(function: Any, name: str, registry: Registry | None) -> Any:
    import types

    return types.coroutine(_generator_function(function, name, registry))


def _async_generator_function(function: Any, name: str, registry: Registry | None) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with OWN:
            scope = measure(name, registry=registry)
            body = function(*args, **kwargs)
            scope._open()
            outlet = _Outlet(scope)
            resume, suspend = scope._resume, scope._suspend
            sys._getframe()
            step: Any = first_step(body)
        del args, kwargs
        while True:
            resume()
            try:
                outlet.item = await step
            except StopAsyncIteration:
                suspend()
                break
            except BaseException as error:
                outlet.end(error)
                raise
            finally:
                step = None
            suspend()
            try:
                step = body.asend((yield outlet.take()))
            except BaseException as thrown:  # noqa: BLE001 - it is the body's to handle
                step = body.athrow(thrown)
        scope._close(None)

    return wrapper


_WRAPPERS = {
    Kind.PLAIN: _plain_function,
    Kind.COROUTINE: _coroutine_function,
    Kind.GENERATOR: _generator_function,
    Kind.GENERATOR_BASED_COROUTINE: _generator_based_coroutine_function,
    Kind.ASYNC_GENERATOR: _async_generator_function,
}
