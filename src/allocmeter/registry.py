"""Finished scopes by name, and the report on them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from allocmeter import backend
from allocmeter._core import preload, types
from allocmeter._core.figures import (
    read_aggregate,
    read_buckets,
    read_retention,
    refresh_retained,
)
from allocmeter._core.own import OWN
from allocmeter._core.types import NativeRegistry
from allocmeter.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocmeter._core.structures import Aggregate
    from allocmeter.reports import Distribution, Report, ReportRow, RetainedGrowth
    from allocmeter.scopes import measure

OTHER: Final = "(other)"  # names beyond the cap, as in _native/registry.c
BYTES_ALLOCATED: Final = 0  # the quantity of this number, as in _native/aggregate.h


class Registry(NativeRegistry):
    """Aggregates finished scopes by name: counts, sums and log-linear histograms.

    The process has one, which `measure(name)` and `report()` use; make another to keep the scopes
    of a component apart, and open its scopes with `registry.measure(name)`. Memory is bounded: a
    histogram grows with the range of its values, not with their number, and names beyond
    `max_names` are aggregated as `(other)`. Safe from any task and thread.

    Args:
        max_names: how many distinct names to keep apart.

    Raises:
        ValueError: `max_names` is less than 1.
        BackendUnavailableError: the native library cannot be used.
    """

    __slots__ = ()

    default: ClassVar[Registry]

    def measure(self, name: str) -> measure:
        """Return a new scope that is aggregated here."""
        with OWN:
            from allocmeter.scopes import measure

            return measure(name, registry=self)

    def __len__(self) -> int:
        return len(self._aggregates)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._aggregates))

    def __contains__(self, name: object) -> bool:
        return name in self._aggregates

    def row(self, name: str) -> ReportRow:
        """Return the figures of the finished scopes of one name.

        Raises:
            KeyError: no scope of that name has finished.
        """
        with OWN:
            if name not in self._aggregates:
                raise KeyError(f"no scope named {name!r} has finished; there are {list(self)}")
            refresh_retained()
            return _row(name, self._aggregates[name], native=preload.is_seen())

    def report(self) -> Report:
        """Return the figures of every name as they stand now."""
        from allocmeter.facts import report_of

        with OWN:
            refresh_retained()
            native = preload.is_seen()
            finished = self._aggregates.copy()
            return report_of(
                tuple(_row(name, found, native=native) for name, found in finished.items())
            )

    def reset(self) -> None:
        """Forget every finished scope. Open scopes are counted when they finish."""
        with OWN:
            self._aggregates.clear()


def report() -> Report:
    """Return a report on every named scope that has finished in this process.

    `str()` of it is a text table, `to_json()` its exchange format. Making it costs one pass over
    the scopes that are open or still hold memory.

    Raises:
        BackendUnavailableError: the native library cannot be used.
    """
    return default_registry().report()


def default_registry() -> Registry:
    """Return the registry of the process.

    Raises:
        BackendUnavailableError: the native library cannot be used.
    """
    types.native()
    return Registry.default


def _row(name: str, aggregate: Any, *, native: bool) -> ReportRow:
    from allocmeter.growth import retained_growth

    figures = read_aggregate(aggregate)
    return row_of(
        name,
        figures,
        histogram=read_buckets(aggregate, BYTES_ALLOCATED),
        growth=retained_growth(read_retention(aggregate)),
        native=native,
    )


def row_of(
    name: str,
    figures: Aggregate,
    *,
    histogram: tuple[tuple[int, int, int], ...] = (),
    growth: RetainedGrowth | None = None,
    native: bool = False,
) -> ReportRow:
    """Return the row of a name, for those who have read its figures from the core.

    Args:
        name: of the scopes.
        figures: what they add up to.
        histogram: the buckets of the bytes they allocated.
        growth: of what they retain.
        native: whether native memory is seen.
    """
    from allocmeter.reports import ReportRow

    return ReportRow(
        name=name,
        count=figures.count,
        errors=figures.errors,
        cancelled=figures.cancelled,
        bytes_allocated=_distribution(figures.bytes_allocated),
        allocations=_distribution(figures.allocations),
        peak_bytes=_distribution(figures.peak_bytes),
        retained_bytes=figures.retained_bytes,
        retained_allocations=figures.retained_allocations,
        late_bytes_allocated=figures.late_bytes_allocated,
        retained=_distribution(figures.retained),
        histogram=histogram,
        native_bytes_allocated=figures.native_bytes_allocated if native else None,
        native_allocations=figures.native_allocations if native else None,
        retained_by_age=tuple((band.bytes, band.blocks) for band in figures.retained_by_age),
        retained_growth=growth,
    )


def _distribution(found: Any) -> Distribution:
    from allocmeter.reports import Distribution

    return Distribution(
        sum=found.sum,
        min=found.min,
        mean=found.sum / found.count if found.count else 0.0,
        p50=found.p50,
        p95=found.p95,
        p99=found.p99,
        max=found.max,
    )


with suppress(BackendUnavailableError):  # using it later says what is wrong
    Registry.default = Registry()
    backend.connect(Registry.default)
