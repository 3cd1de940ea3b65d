"""Totals of finished scopes by name that only grow, as monitoring systems want them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from operator import add, sub
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from allocmeter._core.figures import read_aggregate, read_buckets, refresh_retained
from allocmeter.integrations._exported_labels import labels_of
from allocmeter.integrations._forks import restart_in_children
from allocmeter.registry import default_registry
from allocmeter.verdicts import verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.integrations._exported_labels import Labels
    from allocmeter.registry import Registry

# Upper bounds of histogram buckets in bytes: powers of 4 from 1 KiB to 1 GiB. Above: +Inf.
BOUNDS: Final = tuple(1024 * 4**power for power in range(11))

_BYTES_ALLOCATED = 0  # as in _native/aggregate.h
_TRIES = 10


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
    """

    totals: Totals
    peak_bytes: int = 0
    retained_bytes: int = 0
    retained_allocations: int = 0
    leaks: bool = False

    def __add__(self, other: Series) -> Series:
        return Series(
            self.totals + other.totals,
            max(self.peak_bytes, other.peak_bytes),
            self.retained_bytes + other.retained_bytes,
            self.retained_allocations + other.retained_allocations,
            self.leaks or other.leaks,
        )


class _Account:
    """The finished scopes of one name, across resets of its registry."""

    __slots__ = ("_base", "_carried", "_known", "aggregate")

    def __init__(self, aggregate: Any) -> None:
        self.aggregate = aggregate
        self._known = self._base = self._carried = NOTHING

    def follow(self, aggregate: Any) -> None:
        """Go on with another aggregate: the registry was reset."""
        self._carried = self.read_totals()
        self.aggregate = aggregate
        self._known = self._base = NOTHING

    def begin_anew(self) -> None:
        """Count from here on."""
        self._carried, self._base = NOTHING, self._read()[0]

    def read(self, leaks: Callable[[], bool]) -> Series:
        """Return the figures; `leaks` is asked only where something is retained."""
        totals, figures = self._read()
        return Series(
            totals - self._base + self._carried,
            figures.peak_bytes.max,
            figures.retained_bytes,
            figures.retained_allocations,
            figures.retained_bytes > 0 and leaks(),
        )

    def read_totals(self) -> Totals:
        """Return what only grows."""
        return self._read()[0] - self._base + self._carried

    def _read(self) -> tuple[Totals, Any]:
        figures = read_aggregate(self.aggregate)
        buckets = self._known.buckets
        # Another thread may finish a scope between two readings; not ten times in a row, as a
        # thread keeps the interpreter for longer than this takes.
        for _ in range(_TRIES):
            if figures.count == self._known.count:
                break
            buckets = _coarse(read_buckets(self.aggregate, _BYTES_ALLOCATED), figures.count)
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
                if name in current:
                    series = account.read(partial(self._leaks, name))
                else:
                    series = Series(account.read_totals())
                labels = labels_of(name)
                found[labels] = found[labels] + series if labels in found else series
            return found

    def _leaks(self, name: str) -> bool:
        try:
            return verdict(self.registry.row(name)).kind == "leaks"
        except KeyError:  # the registry was reset meanwhile
            return False

    def _begin_anew(self) -> None:
        self._lock = Lock()
        self._accounts = {}
        for name, aggregate in self.registry._aggregates.copy().items():  # noqa: SLF001
            self._accounts[name] = account = _Account(aggregate)
            account.begin_anew()
