"""Totals of finished scopes by name that only grow, as monitoring systems want them."""

from __future__ import annotations

from bisect import bisect_left
from threading import Lock
from typing import TYPE_CHECKING, Any

from allocmeter._core.figures import (
    read_aggregate,
    read_buckets,
    read_retention,
    refresh_retained,
)
from allocmeter.growth import retained_growth
from allocmeter.integrations._exported_labels import labels_of
from allocmeter.integrations._exported_series import BOUNDS, NOTHING, Series, Totals
from allocmeter.integrations._forks import restart_in_children
from allocmeter.registry import BYTES_ALLOCATED, default_registry, row_of
from allocmeter.verdicts import judged_growth, verdict

if TYPE_CHECKING:
    from allocmeter._core.structures import Aggregate
    from allocmeter.integrations._exported_labels import Labels
    from allocmeter.registry import Registry
    from allocmeter.reports import RetainedGrowth

_TRIES = 10


class _Account:
    """The finished scopes of one name, across resets of its registry."""

    __slots__ = ("_base", "_carried", "_growth", "_known", "_latest", "aggregate")

    def __init__(self, aggregate: Any) -> None:
        self.aggregate = aggregate
        self._known = self._base = self._carried = NOTHING
        self._latest: tuple[int, int, int] | None = None
        self._growth: RetainedGrowth | None = None

    def follow(self, aggregate: Any) -> None:
        """Go on with another aggregate: the registry was reset."""
        self._carried = self.read_totals()
        self.aggregate = aggregate
        self._known = self._base = NOTHING

    def begin_anew(self) -> None:
        """Count from here on."""
        self._carried, self._base = NOTHING, self._read()[0]

    def read(self, name: str) -> Series:
        """Return the figures of the scopes, which have this name. Refresh what is retained first.

        The verdict is asked only where something is retained.
        """
        totals, figures = self._read()
        row = row_of(name, figures, growth=self._read_growth())
        return Series(
            totals - self._base + self._carried,
            row.peak_bytes.max,
            row.retained_bytes,
            row.retained_allocations,
            row.retained_bytes > 0 and verdict(row).kind == "leaks",
            tuple(size for size, _ in row.retained_by_age),
            judged_growth(row),
        )

    def read_totals(self) -> Totals:
        """Return what only grows."""
        return self._read()[0] - self._base + self._carried

    def _read_growth(self) -> RetainedGrowth | None:
        # As scopes get more, a new sample gets rarer, and the estimate is what a scrape spends on.
        samples = read_retention(self.aggregate)
        latest = samples[-1] if samples else None
        if latest != self._latest:
            self._latest, self._growth = latest, retained_growth(samples)
        return self._growth

    def _read(self) -> tuple[Totals, Aggregate]:
        figures = read_aggregate(self.aggregate)
        buckets = self._known.buckets
        # Another thread may finish a scope between two readings; not ten times in a row, as a
        # thread keeps the interpreter for longer than this takes.
        for _ in range(_TRIES):
            if figures.count == self._known.count:
                break
            buckets = _coarse(read_buckets(self.aggregate, BYTES_ALLOCATED), figures.count)
            before, figures = figures.count, read_aggregate(self.aggregate)
            if figures.count == before:
                break
        self._known = Totals(
            figures.count,
            figures.errors,
            figures.cancelled,
            figures.bytes_allocated.sum,
            figures.allocations.sum,
            figures.late_bytes_allocated,
            buckets,
        )
        return self._known, figures


def _coarse(steps: tuple[tuple[int, int, int], ...], count: int) -> tuple[int, ...]:
    counts = [0] * (len(BOUNDS) + 1)
    for _lower, upper, found in steps:
        counts[bisect_left(BOUNDS, upper)] += found
    counts[-1] += count - sum(counts)  # a value that the core had no memory to place
    return tuple(counts)


class ExportedTotals:
    """Totals of a registry by name since the process began, or since it was forked.

    They survive `Registry.reset()`. Their number is bounded: names that a reset has removed are
    forgotten when there are more than the registry has room for. Safe from any thread.

    Args:
        registry: what to read; by default the registry of the process.

    Raises:
        BackendUnavailableError: the native library cannot be used.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = default_registry() if registry is None else registry
        self._accounts: dict[str, _Account] = {}
        self._lock = Lock()
        restart_in_children(self._begin_anew)

    def read(self) -> dict[Labels, Series]:
        """Return the figures of every name as they stand now.

        Names that differ only in what no label can hold are one series.
        """
        with self._lock:
            refresh_retained()
            current = self.registry._aggregates.copy()  # noqa: SLF001 - ours
            for name, aggregate in current.items():
                account = self._accounts.get(name)
                if account is None:
                    self._accounts[name] = _Account(aggregate)
                elif account.aggregate is not aggregate:
                    account.follow(aggregate)
            if len(self._accounts) > self.registry.max_names + 1:  # one for "(other)"
                self._accounts = {name: self._accounts[name] for name in current}
            found: dict[Labels, Series] = {}
            for name, account in self._accounts.items():
                known = name in current
                series = account.read(name) if known else Series(account.read_totals())
                labels = labels_of(name)
                found[labels] = found[labels] + series if labels in found else series
            return found

    def _begin_anew(self) -> None:
        self._lock = Lock()
        self._accounts = {}
        for name, aggregate in self.registry._aggregates.copy().items():  # noqa: SLF001
            self._accounts[name] = account = _Account(aggregate)
            account.begin_anew()
