"""The names of scopes: a method and a route template, and no more of them than agreed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from allocmeter.integrations._http_methods import METHODS
from allocmeter.integrations._switch import Switch
from allocmeter.registry import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

RequestT = TypeVar("RequestT")

WEBSOCKET: Final = "WS"  # stands where other requests have their method

# The names of requests without a route, by method; they are few, and not counted.
UNMATCHED: Final = {method: f"{method} (unmatched)" for method in (*METHODS, OTHER, WEBSOCKET)}


def method_of(method: object) -> str:
    """Return a method as it may stand in a name: clients can make up any."""
    return method if isinstance(method, str) and method in METHODS else OTHER


class Names(Generic[RequestT]):
    """Hands out names until there are `most` different ones, and then `(other)`.

    Args:
        most: how many to hand out.
        choose: the user's way to name a request; `None` leaves it to us, as its failure does.
        requests: what is named, in the plural, for the log.

    Raises:
        ValueError: `most` is less than 1.
    """

    __slots__ = ("_choose", "_choosing", "_composed", "_given", "_most")

    def __init__(
        self, most: int, choose: Callable[[RequestT], str | None] | None, requests: str
    ) -> None:
        if most < 1:
            raise ValueError(f"max_names is the number of names to keep apart, at least 1: {most}")
        self._most = most
        self._composed: dict[tuple[str, str], str] = {}
        self._given: dict[str, str] = {}
        self._choose = choose
        self._choosing = Switch(
            f"the function that names {requests} failed: from here on they are named "
            "after their routes. No request is affected. Correct the function",
            on=choose is not None,
        )

    def chosen(self, request: RequestT) -> str | None:
        """Return the user's name for a request, capped; `None`: it is to have the default one."""
        if not self._choosing.on or self._choose is None:
            return None
        try:
            name = self._choose(request)
            return None if name is None else self.capped(_text(name))
        except Exception:  # noqa: BLE001 - the user's function must not cost the figures
            self._choosing.give_up()
            return None

    def compose(self, method: str, template: str) -> str:
        """Return `GET /items/{id}`; the same object every time."""
        try:
            return self._composed[method, template]
        except KeyError:
            name = self.capped(f"{method} {template}")
            if name is not OTHER:
                self._composed[method, template] = name
            return name

    def capped(self, name: str) -> str:
        """Return a name, or `(other)` if it is one too many."""
        known = self._given.get(name)
        if known is not None:
            return known
        if len(self._given) >= self._most:
            return OTHER
        return self._given.setdefault(name, name)


def _text(name: object) -> str:
    if isinstance(name, str):
        return name
    raise TypeError(f"the name of a scope is a str, not {type(name).__name__}: {name!r}")
