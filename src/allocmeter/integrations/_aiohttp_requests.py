"""Which aiohttp requests get a scope, and what it is called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.integrations._excluded_paths import excluding
from allocmeter.integrations._http_names import UNMATCHED, WEBSOCKET, Names, method_of
from allocmeter.integrations._served import NO_SCOPE, ServedScopes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiohttp.web import Request

    from allocmeter.integrations._served import NoScope
    from allocmeter.registry import Registry
    from allocmeter.scopes import measure


class Requests:
    """Opens the scopes of requests. Takes what `allocation_middleware` takes."""

    __slots__ = ("_is_excluded", "_mark", "_names", "_served")

    def __init__(
        self,
        *,
        name: Callable[[Request], str | None] | None,
        exclude: Iterable[str] | Callable[[Request], bool],
        max_names: int,
        registry: Registry | None,
        nested: bool,
    ) -> None:
        self._mark = _mark()
        self._names = Names(max_names, name, "aiohttp requests")
        self._is_excluded = excluding(exclude, _path_of)
        self._served = ServedScopes("aiohttp requests", registry=registry, nested=nested)

    def open(self, request: Request) -> measure | NoScope:
        """Return the open scope of a request, not yet current, or what stands for none."""
        with OWN:
            try:
                if self._mark in request:
                    return NO_SCOPE
                if self._is_excluded is not None and self._is_excluded(request):
                    return NO_SCOPE
                name = self._name_of(request)
                request[self._mark] = True
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._served.give_up()
                return NO_SCOPE
            return self._served.open(name)

    def _name_of(self, request: Request) -> str:
        chosen = self._names.chosen(request)
        if chosen is not None:
            return chosen
        is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        method = WEBSOCKET if is_websocket else method_of(request.method)
        resource = request.match_info.route.resource
        if resource is None:
            return UNMATCHED[method]
        return self._names.compose(method, resource.canonical)


@functools.cache
def _mark() -> Any:
    """Return the key that requests have when they are measured."""
    from aiohttp import web

    # Since 3.14, keys of another kind cause a warning.
    return web.RequestKey("allocmeter", bool) if hasattr(web, "RequestKey") else "allocmeter"


def _path_of(request: Request) -> str:
    return request.path
