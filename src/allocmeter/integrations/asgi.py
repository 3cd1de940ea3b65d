"""A scope for every request of an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.own import OWN
from allocmeter._core.types import NativeEntrance
from allocmeter.integrations._asgi_http import HttpConversation
from allocmeter.integrations._asgi_lifespan import LifespanConversation
from allocmeter.integrations._asgi_measuring import Measuring
from allocmeter.integrations._asgi_starlette import below
from allocmeter.integrations._asgi_websocket import WebsocketConversation
from allocmeter.integrations._excluded_paths import excluding
from allocmeter.integrations._http_methods import METHODS
from allocmeter.integrations._http_names import UNMATCHED
from allocmeter.registry import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allocmeter.integrations._asgi_conversation import Conversation
    from allocmeter.integrations._asgi_types import App, Receive, Scope, Send
    from allocmeter.registry import Registry

_KINDS: dict[str, type[Conversation]] = {
    "http": HttpConversation,
    "websocket": WebsocketConversation,
    "lifespan": LifespanConversation,
}
# By method: what stands for it, and the name of a request until its route is known.
_METHODS: dict[str | None, tuple[str, str]] = {
    **{method: (method, UNMATCHED[method]) for method in METHODS},
    None: (OTHER, UNMATCHED[OTHER]),  # clients can make up any
}


class AllocationMiddleware:
    """Measures each request of an ASGI application in a scope of its own.

    Put it around everything else: `app = AllocationMiddleware(app)`, or, where a framework keeps a
    list, `app.add_middleware(AllocationMiddleware)` last. What lies outside of it, the server
    included, is not measured. It works with any framework, event loop and server, and above and
    below any other middleware. Where two instances are mounted, the outer one measures a request
    and the inner one passes it on.

    Scopes are named after the method and the template of the route, `GET /items/{id}`, prefixes of
    mounts and included routers with it, as Starlette, FastAPI, Litestar, Quart and Django know it;
    an application without a framework may put one into `scope["path_template"]`. A request that
    no route matched is `GET (unmatched)`, a method that HTTP does not define `(other)`: nothing
    that a client sent gets into a name.

    A request's scope ends when the last message of its response was sent; what the application
    does after that, as background tasks do, is late work of the route. It fails when the
    application raises or answers with a status of 500 or above, and counts as cancelled when the
    client goes away in the middle. A websocket connection is `WS /path`, until the application
    returns. `lifespan startup` and `lifespan shutdown` are scopes of their own; tasks started at
    startup are late work of it, and never of a request. The scopes lie within no other, and are
    found in `scope["allocmeter"]`, a `measure` object.

    A request is never affected. After a failure of ours nothing is measured any more, which is
    logged once (logger `allocmeter`).

    Args:
        app: the ASGI application, or the next middleware.
        name: called with the ASGI scope when the request is over, returns its name, or `None` for
            the default one.
        exclude: what not to measure: paths, each with all that is below it, or a function that is
            called with the ASGI scope and says whether to leave it alone. An excluded request is
            passed on untouched.
        max_names: how many names to keep apart; the rest is aggregated as `(other)`.
        server_timing: whether to add a `Server-Timing` header with the figures of the request, as
            they stand when its response starts. Every client can read it.
        registry: where scopes are aggregated; by default the registry of the process.
        websocket_messages: whether each message that a websocket receives gets a scope, `WS
            /path (message)`, within that of the connection, until the application asks for more. It
            is that of the task that received the message, where one does so for others.

    Raises:
        ValueError: `max_names` is less than 1.
    """

    def __init__(
        self,
        app: App,
        *,
        name: Callable[[Scope], str | None] | None = None,
        exclude: Iterable[str] | Callable[[Scope], bool] = (),
        max_names: int = 1000,
        server_timing: bool = False,
        registry: Registry | None = None,
        websocket_messages: bool = False,
    ) -> None:
        with OWN:
            self.app = app
            self._measuring = Measuring(
                app,
                name=name,
                max_names=max_names,
                registry=registry,
                server_timing=server_timing,
                messages=websocket_messages,
            )
            self._begin = NativeEntrance(
                {
                    kind: (made, made.notable, made.plain and not server_timing, made.fixed)
                    for kind, made in _KINDS.items()
                },
                _METHODS,
                self._measuring,
                excluding(exclude, _path_of),
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on to the application, and measure what that costs."""
        conversation: Conversation | None = self._begin(scope, receive, send)
        if conversation is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, conversation.receive, conversation.send)
        except BaseException as error:
            conversation.leave(error)
            raise
        conversation.leave(None)


def _path_of(scope: Scope) -> str | None:
    path: str | None = scope.get("path")
    if path is None:  # the lifespan has none
        return None
    return below(path, scope.get("root_path", "")) or "/"
