"""A scope for every connection of a stream server: asyncio's, uvloop's and anyio's listeners."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from allocmeter._core.own import OWN
from allocmeter.callables import innermost, is_async, is_coroutine_function
from allocmeter.integrations._served import ServedScopes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from allocmeter.registry import Registry

P = ParamSpec("P")
R = TypeVar("R")


def measure_connections(
    handler: Callable[P, Awaitable[R]],
    name: str | None = None,
    *,
    registry: Registry | None = None,
    nested: bool = False,
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Measure each connection of a server in a scope of its own.

    Give the result to the server in place of the handler: `asyncio.start_server`,
    `asyncio.start_unix_server`, or `serve` of an anyio listener, on any event loop. It can also
    decorate the handler. The scope begins and ends with the handler: what it does, and the tasks
    and `to_thread` workers that it starts. One that raises counts as an error, one that is
    cancelled as cancelled, and either is passed on.

    What a socket receives before the handler asks for it is the event loop's work. That counts in
    the scope in which the server was started, if there was one, until it ends; the copy that the
    handler reads is the connection's.

    With `instrument_tasks()`, the task of a connection has a row of its own, named
    `measure_connections(handler)`, for what the event loop spends on it besides.

    Args:
        handler: an async function, or anything else that is known to be one: a method, a partial,
            an object with an async `__call__`.
        name: of the scopes; by default the `__qualname__` of the handler.
        registry: where the connections are aggregated; by default the process-wide one.
        nested: connections run in the context that the server was started in. By default a scope
            that is open there does not contain them, and connections that come after its end are
            no late work of it. True: it contains them.

    Returns:
        An async function of the same signature. Connections share nothing, so it is as safe to
        use from several tasks and threads as the handler.

    Raises:
        TypeError: the handler is not an async function. A plain callback of asyncio's servers
            returns before its connection has begun, and runs in no task.
    """
    with OWN:
        _check(handler)
        target: Any = innermost(handler)
        described = target if hasattr(target, "__qualname__") else type(target).__call__
        scope_name: str = described.__qualname__ if name is None else name
        served = ServedScopes(f"connections of {scope_name}", registry=registry, nested=nested)
        wrapper: Any = (_of_coroutines if is_coroutine_function(handler) else _of_awaitables)(
            handler, scope_name, served
        )
        functools.update_wrapper(wrapper, handler)
        # A partial, or an object with a `__call__`, has no name or text of its own.
        functools.update_wrapper(wrapper, described, updated=())
        wrapper.__wrapped__ = handler
        # Tasks are named after it, and so are their scopes: those are not the connections.
        wrapper.__qualname__ = f"measure_connections({described.__qualname__})"
        measured: Callable[P, Coroutine[Any, Any, R]] = wrapper
        return measured


def _check(handler: Any) -> None:
    if isinstance(handler, type) or not callable(handler) or not is_async(handler):
        raise TypeError(
            f"{handler!r} is not an async function: measure_connections() measures a connection "
            "for as long as its handler runs, and what a plain callback starts goes on after it. "
            "Give it an `async def`, or open `measure(name)` in the task that the callback starts."
        )


def _of_coroutines(handler: Any, name: str, served: ServedScopes) -> Any:
    async def connection(*args: Any, **kwargs: Any) -> Any:
        with OWN:
            body = handler(*args, **kwargs)
        del args, kwargs  # the body alone decides how long its arguments live
        with served.scope(name):
            return await body

    return connection


def _of_awaitables(handler: Any, name: str, served: ServedScopes) -> Any:
    async def connection(*args: Any, **kwargs: Any) -> Any:
        # A function that is only marked may do any amount of work before it returns its awaitable.
        with served.scope(name):
            return await handler(*args, **kwargs)

    return connection
