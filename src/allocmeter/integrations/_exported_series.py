"""What is exported of the finished scopes of one name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from operator import add, sub
from typing import TYPE_CHECKING, Final

from allocmeter.reports import AGE_BANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.reports import RetainedGrowth

# Upper bounds of histogram buckets in bytes: powers of 4 from 1 KiB to 1 GiB. Above: +Inf.
BOUNDS: Final = tuple(1024 * 4**power for power in range(11))


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the finished scopes of a name.

    Attributes:
        count: scopes.
        errors: how many of them ended by an exception other than cancellation.
        cancelled: how many of them were cancelled.
        bytes_allocated: bytes they allocated while open.
        allocations: blocks they allocated while open.
        late_bytes_allocated: bytes that work which outlived them allocated.
        buckets: how many of them allocated up to each of `BOUNDS`, and more, not cumulated. The
            core keeps steps that begin at a bound, so a scope that allocated exactly as much as
            a bound is counted in the bucket above it.
    """

    count: int
    errors: int
    cancelled: int
    bytes_allocated: int
    allocations: int
    late_bytes_allocated: int
    buckets: tuple[int, ...]

    def __add__(self, other: Totals) -> Totals:
        return _combined(add, self, other)

    def __sub__(self, other: Totals) -> Totals:
        return _combined(sub, self, other)


def _combined(operator: Callable[[int, int], int], left: Totals, right: Totals) -> Totals:
    return Totals(
        operator(left.count, right.count),
        operator(left.errors, right.errors),
        operator(left.cancelled, right.cancelled),
        operator(left.bytes_allocated, right.bytes_allocated),
        operator(left.allocations, right.allocations),
        operator(left.late_bytes_allocated, right.late_bytes_allocated),
        tuple(starmap(operator, zip(left.buckets, right.buckets, strict=True))),
    )


NOTHING: Final = Totals(0, 0, 0, 0, 0, 0, (0,) * (len(BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of one name.

    Attributes:
        totals: what only grows.
        peak_bytes: the highest peak of any one scope.
        retained_bytes: bytes of all finished scopes that are alive now.
        retained_allocations: likewise in blocks.
        leaks: whether the verdict on them, as a report shows it, is that they leak.
        retained_by_age: bytes of all finished scopes that are alive now, by `AGE_BANDS`.
        growth: of what they retain; `None` as long as they are too few.
    """

    totals: Totals
    peak_bytes: int = 0
    retained_bytes: int = 0
    retained_allocations: int = 0
    leaks: bool = False
    retained_by_age: tuple[int, ...] = (0,) * len(AGE_BANDS)
    growth: RetainedGrowth | None = None

    def __add__(self, other: Series) -> Series:
        return Series(
            self.totals + other.totals,
            max(self.peak_bytes, other.peak_bytes),
            self.retained_bytes + other.retained_bytes,
            self.retained_allocations + other.retained_allocations,
            self.leaks or other.leaks,
            tuple(starmap(add, zip(self.retained_by_age, other.retained_by_age, strict=True))),
            _fastest(self.growth, other.growth),
        )


def _fastest(left: RetainedGrowth | None, right: RetainedGrowth | None) -> RetainedGrowth | None:
    if left is None or right is None:
        return left or right
    return max(left, right, key=lambda growth: growth.bytes_per_1000_calls)
