"""What all conversations of one middleware share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter._core.types import NativeRouteNames
from allocmeter.integrations._asgi_templates import Templates, deciding
from allocmeter.integrations._http_names import UNMATCHED, Names
from allocmeter.integrations._served import open_scope
from allocmeter.integrations._switch import Switch
from allocmeter.registry import OTHER
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.integrations._asgi_types import App, Scope
    from allocmeter.registry import Registry


# Each keeps its route alive, and an application may make new ones all the time.
_MOST_KNOWN: Final = 10_000


class Measuring:
    """Makes and names scopes, until something of ours fails.

    Args:
        app: the application that is measured.
        name: the user's way to name a request.
        max_names: how many names to keep apart.
        registry: where scopes are aggregated.
        server_timing: whether responses get a `Server-Timing` header.
        messages: whether the messages of a websocket get scopes.

    Attributes:
        switch: whether scopes are made. The attributes are for reading.
    """

    scope_class = measure

    __slots__ = (
        "_names",
        "_templates",
        "known",
        "messages",
        "registry",
        "server_timing",
        "switch",
    )

    def __init__(
        self,
        app: App,
        *,
        name: Callable[[Scope], str | None] | None,
        max_names: int,
        registry: Registry | None,
        server_timing: bool,
        messages: bool,
    ) -> None:
        self._names = Names(max_names, name, "ASGI requests")
        self.registry = registry
        self._templates = Templates(app)
        # Names that are given natively. Those chosen by the user may depend on anything.
        self.known = NativeRouteNames(_MOST_KNOWN) if name is None else None
        self.server_timing = server_timing
        self.messages = messages
        self.switch = Switch(
            "measuring ASGI requests failed: from here on they are not measured. No request "
            "is affected, and figures of requests that were finished are kept. Correct what "
            "the error is about, or report it if it is none of yours"
        )

    def scope(self, name: str) -> measure:
        """Return an open scope that lies within no other.

        A server may handle a request in the context of anything: of its start, of the connection's
        first request.
        """
        return open_scope(name, self.registry, nested=False)

    def nested_scope(self, name: str) -> measure:
        """Return an open scope within the one that is current."""
        return open_scope(name, self.registry, nested=True)

    def name_of(self, scope: Scope, method: str, path: str, root_path: str) -> str:
        """Return the name of a request that has been handled.

        Args:
            scope: as the application left it.
            method: as it may stand in a name.
            path: of the request, as it was before the application was called.
            root_path: likewise.
        """
        chosen = self._names.chosen(scope)
        if chosen is not None:
            return chosen
        template = self._templates.find(scope, path, root_path)
        if template is None:
            return UNMATCHED[method]
        name = self._names.compose(method, template)
        self._remember(scope, method, name)
        return name

    def _remember(self, scope: Scope, method: str, name: str) -> None:
        """Have the next request of this method to the same route named natively."""
        if self.known is None or name is OTHER:
            return
        route, inclusion = deciding(scope)
        if route is not None:
            self.known.add(route, inclusion, method, name)

    def message_name(self, connection: str) -> str:
        """Return the name for the messages of a websocket connection."""
        return self._names.capped(f"{connection} (message)")

    def give_up(self) -> None:
        """After a failure, make no more scopes and say so, once.

        Call it while the exception is handled.
        """
        self.switch.give_up()
