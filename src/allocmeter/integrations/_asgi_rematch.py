"""Matching the path once more, for frameworks that do not say in the scope which route it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from allocmeter.integrations._asgi_starlette import below

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.integrations._asgi_types import Scope

    Rematch = Callable[[Scope, str, str], str | None]

_MOST_LAYERS = 100  # of middleware around an application


def rematch_for(app: Any) -> Rematch | None:
    """Return how to find the template of a request to an application: `None`: no way is known.

    The function that is returned takes the scope, and path and root path as they were before the
    application was called. It returns `None` if no route matched.
    """
    for _ in range(_MOST_LAYERS):
        if app is None:
            break
        # `quart.asgi_app = AllocationMiddleware(quart.asgi_app)`: a bound method
        owner = getattr(app, "__self__", app)
        if hasattr(owner, "url_map") and hasattr(owner, "view_functions"):
            return _Quart(owner)
        if hasattr(owner, "resolve_request") and "django.urls" in sys.modules:
            return _django
        app = getattr(app, "app", None)
    return None


class _Quart:
    """What Quart does in `create_url_adapter` and `match_request`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, scope: Scope, path: str, root_path: str) -> str | None:
        from werkzeug.exceptions import HTTPException, MethodNotAllowed

        adapter = self._app.url_map.bind(
            self._host(scope),
            root_path or None,
            url_scheme=scope.get("scheme", "http"),
            default_method=scope.get("method", "GET"),
            path_info=below(path, root_path),
        )
        try:
            try:
                rule, _ = adapter.match(return_rule=True)
            except MethodNotAllowed as refused:
                allowed = next(iter(refused.valid_methods or ()), None)
                rule, _ = adapter.match(method=allowed, return_rule=True)
        except HTTPException:
            return None
        return str(rule.rule)

    def _host(self, scope: Scope) -> str:
        if self._app.url_map.host_matching:
            for name, value in scope.get("headers", ()):
                if name == b"host":
                    return str(value.decode("latin-1").lower())
        return str(self._app.config["SERVER_NAME"] or "localhost")


def _django(scope: Scope, path: str, root_path: str) -> str | None:
    del scope
    urls: Any = sys.modules["django.urls"]
    try:
        return f"/{urls.resolve(below(path, root_path)).route}"
    except urls.Resolver404:
        return None
