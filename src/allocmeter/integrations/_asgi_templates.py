"""The template of the route that an application chose for a request, whatever its framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter.integrations import _asgi_starlette
from allocmeter.integrations._asgi_rematch import rematch_for

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import App, Scope


def deciding(scope: Scope) -> tuple[object, object]:
    """Return what alone decides on the template of a request that was handled.

    All that are handled by the same route, included by the same router of FastAPI, have the same
    template. `_native/exchange.c` looks for the same things in the same places.

    Returns:
        the route, and what the inclusion has made of it or `None`; `None` and `None` if something
        else plays a part: Litestar's own template, or the prefix of a mount.
    """
    route = scope.get("route")
    if route is None or "path_template" in scope or "app_root_path" in scope:
        return None, None
    if _asgi_starlette.is_mount(route) or not isinstance(getattr(route, "path", None), str):
        return None, None
    return route, (scope.get("fastapi") or {}).get("effective_route_context")


class Templates:
    """Finds templates such as `/items/{id}` of requests that an application has handled.

    What a client sent never gets into one.

    Args:
        app: the application that handles the requests.
    """

    __slots__ = ("_app", "_rematch", "_searched")

    def __init__(self, app: App) -> None:
        self._app = app
        self._rematch: Any = None
        self._searched = False

    def find(self, scope: Scope, path: str, root_path: str) -> str | None:
        """Return the template of a request, `None` if no route matched.

        Args:
            scope: as the application left it.
            path: of the request, as it was before the application was called.
            root_path: likewise.
        """
        template = scope.get("path_template")  # Litestar's, or of whoever follows it
        if not isinstance(template, str):
            return self._find_routed(scope, path, root_path)
        template = template or _litestar_mount(scope)
        route = scope.get("route")
        if route is None:
            return template
        # One framework mounted in another, each with its part of the template.
        if _asgi_starlette.is_mount(route):
            return _asgi_starlette.prefix_of(scope, path) + template
        inner = getattr(route, "path", None)
        if not isinstance(inner, str):
            return template
        return template.removesuffix(_asgi_starlette.REMAINDER) + inner

    def _find_routed(self, scope: Scope, path: str, root_path: str) -> str | None:
        found = _asgi_starlette.template_of(scope, path, root_path, self._app)
        if found is not None or "router" in scope:
            return found
        if not self._searched:
            self._rematch = rematch_for(self._app)
            self._searched = True
        return None if self._rematch is None else self._rematch(scope, path, root_path)


def _litestar_mount(scope: Scope) -> str:
    """Return the path of a mount, for which Litestar's template is empty; it is never a pattern."""
    handler = scope.get("route_handler")
    for route in getattr(scope.get("litestar_app"), "routes", ()):
        if handler is not None and getattr(route, "route_handler", None) is handler:
            return str(route.path_format.rstrip("/") + _asgi_starlette.REMAINDER)
    return _asgi_starlette.REMAINDER
