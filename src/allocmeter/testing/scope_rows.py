"""What the named scopes inside a test allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocmeter._core.figures import read_aggregate
from allocmeter.registry import default_registry

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ScopeFigures:
    """The scopes of one name that closed during a call.

    Attributes:
        name: of the scopes.
        count: how many closed.
        allocations: blocks that they allocated, together with what is nested in them.
        bytes_allocated: their bytes.
    """

    name: str
    count: int
    allocations: int
    bytes_allocated: int


def snapshot() -> dict[str, ScopeFigures]:
    """Return what all finished scopes of the process allocated, by name."""
    found = {}
    # Private to the registry, and read here alone beside it.
    for name, aggregate in default_registry()._aggregates.copy().items():  # noqa: SLF001
        figures = read_aggregate(aggregate)
        found[name] = ScopeFigures(
            name, figures.count, figures.allocations.sum, figures.bytes_allocated.sum
        )
    return found


def since(before: Mapping[str, ScopeFigures]) -> tuple[ScopeFigures, ...]:
    """Return what the scopes that finished after a snapshot allocated, the most bytes first."""
    nothing = ScopeFigures("", 0, 0, 0)
    rows = []
    for name, now in snapshot().items():
        then = before.get(name, nothing)
        # Fewer: somebody has reset the registry meanwhile.
        if then.count > now.count:
            then = nothing
        if now.count > then.count:
            rows.append(
                ScopeFigures(
                    name,
                    now.count - then.count,
                    now.allocations - then.allocations,
                    now.bytes_allocated - then.bytes_allocated,
                )
            )
    return tuple(sorted(rows, key=lambda row: (-row.bytes_allocated, row.name)))
