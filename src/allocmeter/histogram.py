"""How measured values spread over equal-width buckets."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from allocmeter.checks import check_int
from allocmeter.quantiles import check_finite
from allocmeter.units import bar, human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

Unit = Literal["bytes", "blocks"]

_COLUMNS = 40  # of a full bar


@dataclass(frozen=True, slots=True)
class HistogramBucket:
    """One bucket of an `AllocationHistogram`.

    Attributes:
        lower_bound: the smallest value that falls into it, in the unit of the values.
        upper_bound: the first value beyond it; the last bucket includes its upper bound.
        count: how many values fell into it.
        frequency: that count as a percentage of all values, 0 to 100.
    """

    lower_bound: float
    upper_bound: float
    count: int
    frequency: float


class AllocationHistogram:
    """A histogram with equal-width buckets between the smallest and the largest value.

    Edges and counts are those of `numpy.histogram`; values that are all equal stand in the
    middle of a range one unit wide. Where floats cannot tell the edges apart, which numpy
    refuses, values are counted exactly and the bounds are the nearest floats. The object never
    changes after it was built, so it may be shared between tasks and threads. Its text draws
    one bar per bucket.
    """

    __slots__ = ("_buckets", "_unit")

    def __init__(self, values: Iterable[float], buckets: int = 10, *, unit: Unit = "bytes") -> None:
        """Sort `values` into buckets.

        Args:
            values: finite numbers in any order; without any there are no buckets.
            buckets: how many buckets.
            unit: what the values count, for the text only: bytes are drawn as KiB, MiB, ...

        Raises:
            TypeError: `buckets` is not an `int`.
            ValueError: `buckets` is below 1, a value is not finite, or the unit is unknown.
        """
        if check_int("buckets", buckets) < 1:
            raise ValueError(f"a histogram needs at least 1 bucket; got {buckets}")
        if unit not in ("bytes", "blocks"):
            raise ValueError(f"the unit is 'bytes' or 'blocks', not {unit!r}")
        self._buckets = _sort_into_buckets([(value, 1) for value in values], buckets)
        self._unit: Unit = unit

    @classmethod
    def from_counts(
        cls, pairs: Iterable[tuple[float, int]], buckets: int = 10, *, unit: Unit = "bytes"
    ) -> Self:
        """Build the histogram of values that come with how often each occurred.

        Args:
            pairs: `(value, count)`; a value may occur in several pairs, and one whose count is
                0 is left out.
            buckets: how many buckets.
            unit: what the values count, for the text only.

        Raises:
            TypeError: `buckets` or a count is not an `int`.
            ValueError: `buckets` is below 1, a count is negative, a value is not finite, or the
                unit is unknown.
        """
        histogram = cls((), buckets, unit=unit)
        weighted: list[tuple[float, int]] = []
        for value, count in pairs:
            if check_int("a count", count) < 0:
                raise ValueError(f"a count must not be negative; {value!r} came with {count}")
            if count:
                weighted.append((value, count))
        histogram._buckets = _sort_into_buckets(weighted, buckets)
        return histogram

    @property
    def buckets(self) -> tuple[HistogramBucket, ...]:
        """The buckets from the lowest to the highest; none if there were no values."""
        return self._buckets

    @property
    def unit(self) -> Unit:
        """What the values count."""
        return self._unit

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AllocationHistogram):
            return NotImplemented
        return (self._buckets, self._unit) == (other._buckets, other._unit)

    def __hash__(self) -> int:
        return hash((self._buckets, self._unit))

    def __repr__(self) -> str:
        values = sum(bucket.count for bucket in self._buckets)
        return f"<AllocationHistogram: {values} values in {len(self._buckets)} buckets>"

    def __str__(self) -> str:
        if not self._buckets:
            return "nothing measured"
        edges = _edge_texts(self._buckets, self._unit)
        width = max(map(len, edges))
        fullest = max(bucket.count for bucket in self._buckets)
        return "\n".join(
            f"{low:>{width}} to {high:>{width}} "
            f"│{bar(bucket.count / fullest, _COLUMNS):<{_COLUMNS}}│"
            f" {bucket.count:>{len(str(fullest))}} {bucket.frequency:5.1f} %"
            for bucket, (low, high) in zip(self._buckets, pairwise(edges), strict=True)
        )


def _sort_into_buckets(
    weighted: Sequence[tuple[float, int]], buckets: int
) -> tuple[HistogramBucket, ...]:
    if not weighted:
        return ()
    check_finite(value for value, _ in weighted)
    lowest = min(value for value, _ in weighted)
    highest = max(value for value, _ in weighted)
    edges = _float_edges(lowest, highest, buckets)
    counts = [0] * buckets
    if all(low < high for low, high in pairwise(edges)):
        for value, count in weighted:
            # As a float, as numpy compares; the last bucket is closed.
            counts[min(bisect_right(edges, float(value)), buckets) - 1] += count
    else:
        edges = _count_exactly(weighted, lowest, highest, counts)
    total = sum(counts)
    return tuple(
        HistogramBucket(low, high, count, 100 * count / total)
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    )


def _float_edges(lowest: float, highest: float, buckets: int) -> list[float]:
    """Return the edges with the arithmetic of `numpy.linspace`, hence with its rounding."""
    start, stop = float(lowest), float(highest)
    if lowest == highest:
        start, stop = start - 0.5, stop + 0.5
    step = (stop - start) / buckets
    return [*(index * step + start for index in range(buckets)), stop]


def _count_exactly(
    weighted: Iterable[tuple[float, int]], lowest: float, highest: float, counts: list[int]
) -> list[float]:
    """Fill `counts` in exact arithmetic and return the edges rounded to floats."""
    from fractions import Fraction

    start, stop = Fraction(lowest), Fraction(highest)
    if start == stop:
        start, stop = start - Fraction(1, 2), stop + Fraction(1, 2)
    buckets = len(counts)
    for value, count in weighted:
        index = math.floor((Fraction(value) - start) * buckets / (stop - start))
        counts[min(index, buckets - 1)] += count
    return [float(start + (stop - start) * index / buckets) for index in range(buckets + 1)]


def _edge_texts(buckets: Sequence[HistogramBucket], unit: Unit) -> list[str]:
    edges = [buckets[0].lower_bound, *(bucket.upper_bound for bucket in buckets)]
    texts = [human_bytes(edge) if unit == "bytes" else human_count(edge) for edge in edges]
    if any(low == high for low, high in pairwise(texts)):
        # Rounded figures would tell a narrow bucket's bounds apart no more.
        suffix = " B" if unit == "bytes" else ""
        texts = [f"{edge:,.2f}{suffix}" for edge in edges]
    return texts
