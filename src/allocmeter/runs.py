"""The runs of an operation: what each of them measured, and the statistics over them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from allocmeter._core.callbacks import CANCELLED, SUCCEEDED, classify
from allocmeter.checks import check_count
from allocmeter.histogram import AllocationHistogram
from allocmeter.quantiles import median, percentile

if TYPE_CHECKING:
    from allocmeter.scopes import measure
    from allocmeter.stats import AllocationStats

T = TypeVar("T")

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
        unit: Literal["bytes", "blocks"] = "bytes" if "bytes" in of else "blocks"
        return AllocationHistogram(self._figures(of), buckets, unit=unit)

    def _figures(self, of: Quantity) -> list[int]:
        return [measurement.figure(of) for measurement in self.measurements]


class RunLog:
    """Takes in the runs of one operation, from any task or thread, and keeps the latest.

    Args:
        name: of the scopes; `None` leaves them unnamed.
        max_measurements: how many successes, and how many failures, to keep; `None` keeps all.

    Raises:
        TypeError: `name` is not a string, or `max_measurements` not an `int`.
        ValueError: `max_measurements` is below 1.
    """

    def __init__(self, name: str | None, max_measurements: int | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a profiler's name must be a str, not {type(name).__name__}")
        if max_measurements is not None:
            check_count("max_measurements", max_measurements, least=1)
        self.name = name
        self.max_measurements = max_measurements
        # Re-entrant: a finalizer that runs while a run is stored may store one here too.
        self._lock = RLock()
        self.clear()

    def clear(self) -> None:
        """Forget every run."""
        with self._lock:
            self._count = self._errors = self._cancelled = 0
            self._measurements: deque[Measurement] = deque(maxlen=self.max_measurements)
            self._failed_measurements: deque[Measurement] = deque(maxlen=self.max_measurements)

    def settle(self, scope: measure, result: T, error: BaseException | None) -> T:
        """Store the run of a measured call: this is the account of `call_measured`."""
        self.store(scope, None if error is None else type(error))
        return result

    def store(self, scope: measure, error: type[BaseException] | None) -> None:
        """Store the run of a closed scope that was left by an exception of this type, if any."""
        outcome = SUCCEEDED if error is None else classify(error)
        measurement = Measurement(scope.stats, scope.peak_bytes, scope.peak_allocations)
        with self._lock:
            if outcome == SUCCEEDED:
                self._count += 1
                self._measurements.append(measurement)
                return
            if outcome == CANCELLED:
                self._cancelled += 1
            else:
                self._errors += 1
            self._failed_measurements.append(measurement)

    def extend(self, runs: Runs) -> None:
        """Add runs behind those stored here; counts are added in full."""
        with self._lock:
            self._count += runs.count
            self._errors += runs.errors
            self._cancelled += runs.cancelled
            self._measurements.extend(runs.measurements)
            self._failed_measurements.extend(runs.failed_measurements)

    def runs(self) -> Runs:
        """Return what is known now, as a value that does not change any more."""
        with self._lock:
            return Runs(
                self._count,
                self._errors,
                self._cancelled,
                tuple(self._measurements),
                tuple(self._failed_measurements),
            )
