"""A scope for every request of an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.integrations._asgi_conversation import MARK, Conversation
from allocmeter.integrations._asgi_http import HttpConversation
from allocmeter.integrations._asgi_lifespan import LifespanConversation
from allocmeter.integrations._asgi_measuring import Measuring
from allocmeter.integrations._asgi_starlette import below
from allocmeter.integrations._asgi_websocket import WebsocketConversation
from allocmeter.integrations._excluded_paths import excluding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allocmeter.integrations._asgi_types import App, Receive, Scope, Send
    from allocmeter.registry import Registry

_KINDS: dict[Any, Callable[[Measuring, Scope, Receive, Send], Conversation]] = {
    "http": HttpConversation,
    "websocket": WebsocketConversation,
    "lifespan": LifespanConversation,
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
            self._is_excluded = excluding(exclude, _path_of)
            self._measuring = Measuring(
                app,
                name=name,
                max_names=max_names,
                registry=registry,
                server_timing=server_timing,
                messages=websocket_messages,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on to the application, and measure what that costs."""
        conversation = self._begin(scope, receive, send)
        if conversation is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, conversation.receive, conversation.send)
        except BaseException as error:
            conversation.leave(error)
            raise
        conversation.leave(None)

    def _begin(self, scope: Scope, receive: Receive, send: Send) -> Conversation | None:
        with OWN:
            try:
                kind = _KINDS.get(scope.get("type"))
                if kind is None or not self._measuring.switch.on or MARK in scope:
                    return None
                if self._is_excluded is not None and self._is_excluded(scope):
                    return None
                return kind(self._measuring, scope, receive, send)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._measuring.give_up()
                return None


def _path_of(scope: Scope) -> str | None:
    path: str | None = scope.get("path")
    if path is None:  # the lifespan has none
        return None
    return below(path, scope.get("root_path", "")) or "/"
