"""Stepping through an async generator that stands inside another one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable


def first_step(body: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Return what to await for the first item of a generator, which no event loop then knows.

    The loop closes at shutdown, in any order, the generators that it has seen start. It must know
    the outer one only, which closes the body inside its scope.
    """
    firstiter = sys.get_asyncgen_hooks().firstiter
    sys.set_asyncgen_hooks(firstiter=None)
    try:
        return body.asend(None)
    finally:
        sys.set_asyncgen_hooks(firstiter=firstiter)
