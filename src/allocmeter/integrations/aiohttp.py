"""A scope for every request of an aiohttp server."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.integrations._aiohttp_requests import Requests
from allocmeter.integrations._disconnections import is_disconnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.typedefs import Middleware
    from aiohttp.web import Request, StreamResponse

    from allocmeter.registry import Registry


def allocation_middleware(
    *,
    name: Callable[[Request], str | None] | None = None,
    exclude: Iterable[str] | Callable[[Request], bool] = (),
    max_names: int = 1000,
    registry: Registry | None = None,
    nested: bool = False,
) -> Middleware:
    """Return a middleware that measures each request of an aiohttp application in a scope.

    `web.Application(middlewares=[allocation_middleware()])`: put it first, so that it sees what
    the other middlewares do as well. It covers sub-applications; where they have one too, the
    outer one measures a request and the inner one passes it on.

    Scopes are named after the method and the route as it was added, `GET /users/{name}`, and
    websockets `WS /chat`. A request that no route matched is `GET (unmatched)`, a method that HTTP
    does not define `(other)`: nothing that a client sent gets into a name. The scope contains what
    the handler does and the tasks and `to_thread` workers that it starts. It ends when the handler
    is done: after the last chunk of a streaming response that the handler writes, after the end of
    a websocket, but before a complete response that it returned is sent.

    A request fails when its handler raises or answers with a status of 500 or above, and counts as
    cancelled when the handler is cancelled, or gives up because the client has gone. An
    `HTTPException` below 500 is an answer.

    A request is never affected. After a failure of ours nothing is measured any more, which is
    logged once (logger `allocmeter`).

    Args:
        name: called with a request before it is handled, returns the name of its scope, or `None`
            for the default one.
        exclude: what not to measure: paths, each with all that is below it, or a function that is
            called with a request and says whether to leave it alone.
        max_names: how many names to keep apart; the rest is aggregated as `(other)`.
        registry: where the requests are aggregated; by default the process-wide one.
        nested: requests run in the context that the server was started in. By default a scope that
            is open there, or that a middleware before this one opened, does not contain them, and
            requests that come after its end are no late work of it. True: it contains them.

    Returns:
        A middleware, which may be used in several applications.

    Raises:
        ImportError: aiohttp is not installed.
        ValueError: `max_names` is less than 1.
    """
    with OWN:
        from aiohttp import web

        requests = Requests(
            name=name, exclude=exclude, max_names=max_names, registry=registry, nested=nested
        )

        @web.middleware
        async def measure_request(
            request: Request, handler: Callable[[Request], Awaitable[StreamResponse]]
        ) -> StreamResponse:
            scope = requests.open(request)
            scope._resume()
            try:
                response = await handler(request)
            except BaseException as error:
                scope._suspend()
                scope._close(_reason(error, request))
                raise
            scope._suspend()
            scope._close(_SERVER_ERROR if _status(response) >= _LEAST_ERROR else None)
            return response

        return measure_request


# What a scope is closed with where no exception says how it went.
_SERVER_ERROR = RuntimeError()
_CANCELLED = GeneratorExit()
_LEAST_ERROR = 500


def _reason(error: BaseException, request: Request) -> BaseException | None:
    """Return what to close the scope with when the handler raised."""
    with OWN:
        from aiohttp.web import HTTPException

        if isinstance(error, HTTPException):
            return error if _status(error) >= _LEAST_ERROR else None
        return _CANCELLED if is_disconnection(error) and _is_gone(request) else error


def _is_gone(request: Request) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


def _status(response: Any) -> int:
    # A handler may return anything; aiohttp complains then.
    status = getattr(response, "status", None)
    return status if isinstance(status, int) else 0
