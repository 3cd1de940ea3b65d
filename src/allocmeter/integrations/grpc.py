"""A scope for every RPC of a grpc.aio server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.integrations._grpc_behaviors import measuring
from allocmeter.integrations._served import ServedScopes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from grpc.aio import ServerInterceptor

    from allocmeter.registry import Registry
else:
    ServerInterceptor = object  # importing this module must not import grpc; see `__init__`

UNKNOWN = "(unmatched)"


class AllocationInterceptor(ServerInterceptor):
    """Measures each RPC of a server in a scope named after its method, `/package.Service/Method`.

    `grpc.aio.server(interceptors=[AllocationInterceptor()])`: put it first, so that it sees what
    the other interceptors put around a handler as well. All four kinds of methods are measured,
    written as coroutines or as async generators, and plain functions and generators in the threads
    where grpc runs them. The scope contains what the handler does and the tasks and `to_thread`
    workers that it starts, but neither the decoding of requests nor the encoding of responses,
    unless the handler calls for them with `context.read()` and `context.write()`. It ends when the
    handler is done, or is given up in the middle of a stream.

    A handler that raises counts as an error, and so does one that aborts. A handler that is
    cancelled, by the client or by a deadline, counts as cancelled. Calls of methods that the server
    does not have are errors of `(unmatched)`, and allocate nothing.

    Safe from any task and thread; may be given to several servers.

    Args:
        exclude: methods whose calls are not measured: `("/grpc.health.v1.Health/Check",)`.
        registry: where the calls are aggregated; by default the process-wide one.
        nested: RPCs run in the context that the server was started in. By default a scope that is
            open there does not contain them. True: it does, except for what runs in threads.

    Raises:
        ImportError: grpcio is not installed.
    """

    def __init__(
        self,
        *,
        exclude: Collection[str] = (),
        registry: Registry | None = None,
        nested: bool = False,
    ) -> None:
        with OWN:
            from grpc import aio

            # The server takes instances of that class only.
            aio.ServerInterceptor.register(type(self))
            self._excluded = frozenset(exclude)
            self._served = ServedScopes("RPCs", registry=registry, nested=nested)

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any:
        """Return the handler of an RPC, measured. Called by grpc."""
        handler = await continuation(handler_call_details)
        with OWN:
            try:
                return self._measured(handler, handler_call_details.method)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._served.give_up()
                return handler

    def _measured(self, handler: Any, method: str) -> Any:
        if method in self._excluded:
            return handler
        if handler is None:
            self._served.count_failure(UNKNOWN)
            return None
        import grpc

        kind = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
        behavior = measuring(
            getattr(handler, kind), handler.response_streaming, self._served, method
        )
        return getattr(grpc, f"{kind}_rpc_method_handler")(
            behavior, handler.request_deserializer, handler.response_serializer
        )


_KINDS = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}
