"""What handles an RPC, with a scope around it: of the kind that it was, for grpc tells by that."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.async_generators import first_step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from allocmeter.integrations._served import ServedScopes


def measuring(
    behavior: Callable[[Any, Any], Any], streaming: bool, served: ServedScopes, name: str
) -> Any:
    """Return a function that handles one RPC as `behavior` does, in a scope.

    Args:
        behavior: called by grpc with the request, or an iterator of requests, and the context.
        streaming: whether it answers with a stream.
        served: opens the scope.
        name: of the scope.
    """
    import inspect

    if inspect.iscoroutinefunction(behavior):
        return _coroutine_function(behavior, served, name)
    if streaming and inspect.isasyncgenfunction(behavior):
        return _async_generator_function(behavior, served, name)
    return (_stream_in_a_thread if streaming else _plain_function)(behavior, served, name)


def _coroutine_function(behavior: Any, served: ServedScopes, name: str) -> Any:
    async def call(request: Any, context: Any) -> Any:
        with OWN:
            body = behavior(request, context)
        del request, context  # the body alone decides how long they live
        with served.scope(name):
            return await body

    return call


def _plain_function(behavior: Any, served: ServedScopes, name: str) -> Any:
    def call(request: Any, context: Any) -> Any:
        with served.scope(name):
            return behavior(request, context)

    return call


def _async_generator_function(behavior: Any, served: ServedScopes, name: str) -> Any:
    async def call(request: Any, context: Any) -> AsyncGenerator[Any, Any]:
        scope = served.open(name)
        with OWN:
            body = behavior(request, context)
            step: Any = first_step(body)
        del request, context
        while True:
            scope._resume()
            try:
                response = await step
            except StopAsyncIteration:
                scope._suspend()
                break
            except BaseException as error:
                scope._suspend()
                scope._close(error)
                raise
            scope._suspend()
            try:
                yield response
            except BaseException as given_up:  # the task was cancelled while it was sending
                scope._resume()
                try:
                    await body.aclose()
                finally:
                    scope._suspend()
                    scope._close(given_up)
                raise
            response = None  # or it would be there as long as the next one is made
            step = body.__anext__()
        scope._close(None)

    return call


def _stream_in_a_thread(behavior: Any, served: ServedScopes, name: str) -> Any:
    # grpc calls it in the event loop's thread, and takes steps of what it returns in another.
    def call(request: Any, context: Any) -> Generator[Any, Any, Any]:
        scope = served.open(name)
        scope._resume()
        try:
            body = iter(behavior(request, context))
        except BaseException as error:
            scope._suspend()
            scope._close(error)
            raise
        scope._suspend()
        return _responses(body, scope)

    return call


def _responses(body: Any, scope: Any) -> Generator[Any, Any, Any]:
    while True:
        scope._resume()
        try:
            response = next(body)
        except StopIteration:
            scope._suspend()
            break
        except BaseException as error:
            scope._suspend()
            scope._close(error)
            raise
        scope._suspend()
        try:
            yield response
        except BaseException as given_up:
            scope._resume()
            try:
                getattr(body, "close", _nothing)()
            finally:
                scope._suspend()
                scope._close(given_up)
            raise
        response = None
    scope._close(None)


def _nothing() -> None:
    pass
