"""The runs of an operation: what each of them measured, and the statistics over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from allocmeter.histogram import AllocationHistogram, Unit
from allocmeter.quantiles import median, percentile

if TYPE_CHECKING:
    from allocmeter.stats import AllocationStats

Quantity = Literal[
    "allocations",
    "deallocations",
    "reallocations",
    "bytes_allocated",
    "bytes_deallocated",
    "net_allocations",
    "net_bytes",
    "peak_bytes",
    "peak_allocations",
]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run allocated and freed, and the high-water marks of its live memory."""

    stats: AllocationStats
    peak_bytes: int
    peak_allocations: int

    def figure(self, of: Quantity) -> int:
        """Return one of its figures."""
        figure: int = getattr(self if of.startswith("peak_") else self.stats, of)
        return figure


@dataclass(frozen=True, slots=True)
class Runs:
    """What is known of the runs at one moment; statistics describe the successes kept.

    Attributes:
        count: successful runs, those no longer kept included.
        errors: runs that ended in an exception other than a cancellation.
        cancelled: runs that were cancelled.
        measurements: the successful runs kept, in the order in which they ended.
        failed_measurements: the failed and cancelled runs kept, likewise.
    """

    count: int
    errors: int
    cancelled: int
    measurements: tuple[Measurement, ...]
    failed_measurements: tuple[Measurement, ...]

    def mean(self, of: Quantity) -> float:
        """Return the arithmetic mean of a quantity; 0 of nothing."""
        figures = self._figures(of)
        return sum(figures) / len(figures) if figures else 0.0

    def median(self, of: Quantity) -> float:
        """Return the median of a quantity; 0 of nothing."""
        return median(self._figures(of))

    def percentile(self, of: Quantity, p: float) -> float:
        """Return the `p`-th percentile of a quantity; 0 of nothing.

        Raises:
            TypeError: `p` is not a number.
            ValueError: `p` lies outside 0 to 100.
        """
        return percentile(self._figures(of), p)

    def histogram(self, of: Quantity, buckets: int) -> AllocationHistogram:
        """Return how a quantity is spread.

        Raises:
            TypeError: `buckets` is not an `int`.
            ValueError: `buckets` is below 1, or there is no such quantity.
        """
        if of not in get_args(Quantity):
            known = ", ".join(get_args(Quantity))
            raise ValueError(f"no quantity {of!r} is measured; there are {known}")
        unit: Unit = "bytes" if "bytes" in of else "blocks"
        return AllocationHistogram(self._figures(of), buckets, unit=unit)

    def _figures(self, of: Quantity) -> list[int]:
        return [measurement.figure(of) for measurement in self.measurements]
