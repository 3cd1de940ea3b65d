"""What the named scopes inside a test allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from allocmeter._core.figures import read_aggregate, read_buckets
from allocmeter.registry import BYTES_ALLOCATED, default_registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    Buckets = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ScopeFigures:
    """The scopes of one name that closed during a call.

    Attributes:
        name: of the scopes.
        count: how many closed.
        allocations: blocks that they allocated, together with what is nested in them.
        bytes_allocated: their bytes.
        largest_bytes: the bytes of the one that allocated most, exact or the upper edge of its
            step of the histogram, which is at most 1/32 more.
    """

    name: str
    count: int
    allocations: int
    bytes_allocated: int
    largest_bytes: int


class Totals(NamedTuple):
    """What all finished scopes of a name add up to at a moment."""

    calls: int
    allocations: int
    bytes_allocated: int
    largest_bytes: int
    buckets: Buckets


def snapshot() -> dict[str, Totals]:
    """Return what all finished scopes of the process allocated, by name."""
    # Private to the registry, and read here alone beside it.
    finished = default_registry()._aggregates.copy()  # noqa: SLF001
    return {name: _totals(aggregate) for name, aggregate in finished.items()}


def since(before: Mapping[str, Totals]) -> tuple[ScopeFigures, ...]:
    """Return what the scopes that finished after a snapshot allocated, the most bytes first."""
    rows = []
    for name, now in snapshot().items():
        then = before.get(name, _NOTHING)
        if then.calls > now.calls:
            then = _NOTHING  # somebody has reset the registry meanwhile
        if now.calls > then.calls:
            rows.append(
                ScopeFigures(
                    name,
                    now.calls - then.calls,
                    now.allocations - then.allocations,
                    now.bytes_allocated - then.bytes_allocated,
                    _largest(then, now),
                )
            )
    return tuple(sorted(rows, key=lambda row: (-row.bytes_allocated, row.name)))


_NOTHING = Totals(0, 0, 0, 0, ())


def _totals(aggregate: Any) -> Totals:
    figures = read_aggregate(aggregate)
    found = figures.bytes_allocated
    return Totals(
        figures.count,
        figures.allocations.sum,
        found.sum,
        found.max,
        read_buckets(aggregate, BYTES_ALLOCATED),
    )


def _largest(then: Totals, now: Totals) -> int:
    if now.largest_bytes > then.largest_bytes or now.calls - then.calls == 1:
        return min(now.largest_bytes, now.bytes_allocated - then.bytes_allocated)
    counts = {lower: count for lower, _, count in then.buckets}
    edges = [upper - 1 for lower, upper, count in now.buckets if count > counts.get(lower, 0)]
    # A value for which there was no memory is in no bucket.
    return min(max(edges, default=now.largest_bytes), now.bytes_allocated - then.bytes_allocated)
