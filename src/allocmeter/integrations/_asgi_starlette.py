"""The template of the route that a Starlette or FastAPI application chose.

Both note the innermost route in the scope, without the prefixes of the mounts around it, and some
routes not at all. What they leave out is found by walking the same tree of routes again, which
is told apart by what its nodes have: a mount has `routes`, anything with a path has `path_regex`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allocmeter.integrations._asgi_types import Scope

# Stands for what follows a mount, where no more is known of it.
REMAINDER = "/{path}"

_MOST_LAYERS = 100  # of middleware around an application


def template_of(scope: Scope, path: str, root_path: str, app: Any) -> str | None:
    """Return the template of a request that was handled, `None` if no route matched.

    Args:
        scope: as the application left it.
        path: of the request, as it was before the application was called.
        root_path: likewise.
        app: what was called; where to look for routes if the scope does not tell.
    """
    route = scope.get("route")
    if route is not None and not is_mount(route):
        own = _own_path(route, scope)
        # Set by mounts alone, which is the quick way to know that there are none.
        base = scope.get("app_root_path")
        if own is not None and base is None:
            return own
        if own is not None:
            return prefix_of(scope, path) + own
    router = scope.get("router")
    if router is None:
        # Not the dictionary that the router saw: some middleware passed a copy on.
        return find(routes_of(app), scope, below(path, root_path))
    if route is None and "endpoint" not in scope:
        return None
    return find(routes_of(router), scope, below(path, scope.get("app_root_path", root_path)))


def prefix_of(scope: Scope, path: str) -> str:
    """Return the templates of the mounts that a request went through, one after the other."""
    base: str = scope.get("app_root_path", "")
    rest = below(path, base)
    mounted = len(scope.get("root_path", "")) - len(base)
    routes = routes_of(scope.get("router"))
    prefix = ""
    while mounted > 0:
        for route in _flat(routes):
            found = route.path_regex.match(rest) if is_mount(route) else None
            if found:
                mounted -= len(rest)
                rest = "/" + found["path"]
                mounted += len(rest)
                prefix += route.path
                routes = _routes_below(route)
                break
        else:
            return prefix + REMAINDER
    return prefix


def find(routes: Iterable[Any], scope: Scope, path: str) -> str | None:
    """Match a path as the router did; a route that has the path and not the method comes last."""
    method = scope.get("method")
    partial = None
    for route in _flat(routes):
        regex = getattr(route, "path_regex", None)
        if regex is None:
            host = getattr(route, "host_regex", None)
            if host is not None and host.match(_host(scope)):
                return find(_routes_below(route), scope, path)
            continue
        found = regex.match(path)
        if not found:
            continue
        if is_mount(route):
            inner = find(_routes_below(route), scope, "/" + found["path"])
            return str(route.path + (REMAINDER if inner is None else inner))
        methods: Any = getattr(route, "methods", _WEBSOCKET)
        if (methods is _WEBSOCKET) != (method is None):
            continue
        if not methods or methods is _WEBSOCKET or method in methods:
            return str(route.path)
        if partial is None:
            partial = str(route.path)
    return partial


_WEBSOCKET = object()  # in place of the methods that a websocket route does not have


def is_mount(route: Any) -> bool:
    """Whether other routes are below a route."""
    return getattr(route, "routes", None) is not None


def routes_of(app: Any) -> Iterable[Any]:
    """Return the routes of the first application inside layers of middleware that has any."""
    for _ in range(_MOST_LAYERS):
        if app is None:
            break
        routes = getattr(app, "routes", None)
        if isinstance(routes, list):
            return routes
        app = getattr(app, "app", None)
    return ()


def below(path: str, root_path: str) -> str:
    """Return what is left of a path below the one that the application is served at."""
    if not root_path or not path.startswith(root_path):
        return path
    rest = path[len(root_path) :]
    return path if rest and rest[0] != "/" else rest


def _routes_below(route: Any) -> Iterable[Any]:
    return route.routes or routes_of(getattr(route, "app", None))


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    """Yield routes; from an included router of FastAPI what it adds to the one around it."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
        else:
            for context in contexts():
                yield context.starlette_route or context


def _own_path(route: Any, scope: Scope) -> str | None:
    """Return the path of a route as its application sees it."""
    fastapi = scope.get("fastapi")
    if fastapi:
        # The route of an included router does not know the prefix that it was included with.
        context = fastapi.get("effective_route_context")
        if context is not None and context.original_route is route:
            route = context.starlette_route or context
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else None


def _host(scope: Scope) -> str:
    for name, value in scope.get("headers", ()):
        if name == b"host":
            return str(value.decode("latin-1").split(":")[0])
    return ""
