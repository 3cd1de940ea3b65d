"""How much memory may stay alive: what all that asserts the absence of leaks has in common."""

from __future__ import annotations

from typing import Final

_UNLIMITED: Final = float("inf")


def limits(max_bytes: float | None, max_allocations: float | None) -> tuple[float, float]:
    """Return the most bytes and blocks that are tolerated.

    With neither given nothing is tolerated. With one given that one decides, and the other is
    unlimited: who tolerates 10,000 bytes does not care how many blocks they come in.
    """
    if max_bytes is None and max_allocations is None:
        return 0, 0
    return (
        _UNLIMITED if max_bytes is None else max_bytes,
        _UNLIMITED if max_allocations is None else max_allocations,
    )


def limit_text(limit: float) -> str:
    """Return a limit as messages put it."""
    return "any" if limit == _UNLIMITED else str(limit)


def line_of_assertion() -> str:
    """Return the file and line that called the method which calls this."""
    from traceback import extract_stack

    caller, _assertion, _here = extract_stack(limit=3)
    return f"{caller.filename}:{caller.lineno}"
