"""The names of scopes: a method and a route template, and no more of them than agreed."""

from __future__ import annotations

from typing import Final

UNMATCHED: Final = "(unmatched)"  # in place of a template: no route had the path
OTHER_METHOD: Final = "(other)"  # one that HTTP does not define
OTHER_NAME: Final = "(other)"  # beyond the cap; the registry's word for the same

WEBSOCKET: Final = "WS"  # stands where other requests have their method

_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)
_UNMATCHED: Final = {
    method: f"{method} {UNMATCHED}" for method in (*_METHODS, OTHER_METHOD, WEBSOCKET)
}


def method_of(method: object) -> str:
    """Return a method as it may stand in a name: clients can make up any."""
    return method if isinstance(method, str) and method in _METHODS else OTHER_METHOD


def unmatched(method: str) -> str:
    """Return the name of requests without a route; these names are few, and not counted."""
    return _UNMATCHED[method]


class Names:
    """Hands out names until there are `most` different ones, and then `(other)`.

    Args:
        most: how many to hand out.

    Raises:
        ValueError: `most` is less than 1.
    """

    __slots__ = ("_composed", "_given", "_most")

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"max_names is the number of names to keep apart, at least 1: {most}")
        self._most = most
        self._composed: dict[tuple[str, str], str] = {}
        self._given: dict[str, str] = {}

    def compose(self, method: str, template: str) -> str:
        """Return `GET /items/{id}`; the same object every time."""
        try:
            return self._composed[method, template]
        except KeyError:
            name = self.capped(f"{method} {template}")
            if name is not OTHER_NAME:
                self._composed[method, template] = name
            return name

    def capped(self, name: str) -> str:
        """Return a name, or `(other)` if it is one too many."""
        known = self._given.get(name)
        if known is not None:
            return known
        if len(self._given) >= self._most:
            return OTHER_NAME
        return self._given.setdefault(name, name)
