"""Having context variables lie equally deep in their tree, wherever their hashes put them.

To set a variable takes a block for each level of the tree above it. In a tree of few variables each
lies on the first of these levels, unless it shares its place there with another one: of two, one in
32 times, other ones in each process. In the tree of a large program, which has more variables than
that level holds by itself, all of them lie on the second, whether they share a place or not.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import Token

# Of a level, and how many of them have to be taken for it to hold nothing but further levels.
_PLACES: Final = 32
_MANY: Final = 17

# Variables without a use, one for each place.
_fillers: Final[dict[int, ContextVar[None]]] = {}


def fill() -> list[Token[None]]:
    """Give the current context as many variables as it needs for that; none if it has them.

    Returns:
        What `clear` takes them away by.
    """
    _prepare()
    taken = {_place(variable) for variable in copy_context()}
    free = [place for place in range(_PLACES) if place not in taken]
    return [_fillers[place].set(None) for place in free[: max(_MANY - len(taken), 0)]]


def clear(tokens: Iterable[Token[None]]) -> None:
    """Take variables away, in the context that they were given to; in another one they stay."""
    with suppress(ValueError):
        for token in tokens:
            token.var.reset(token)


def _prepare() -> None:
    number = 0
    while len(_fillers) < _PLACES:
        number += 1
        filler: ContextVar[None] = ContextVar(f"allocmeter_filler_{number}")
        _fillers.setdefault(_place(filler), filler)


def _place(variable: ContextVar[Any]) -> int:
    """Return where on the first level it is kept: as `hamt_hash` in CPython's Python/hamt.c."""
    found = hash(variable)
    return (found ^ found >> 32) % _PLACES
