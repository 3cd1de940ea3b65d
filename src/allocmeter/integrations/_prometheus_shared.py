"""The metrics of several processes, kept in the files that they share."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from allocmeter.integrations._exported_labels import Labels
from allocmeter.integrations._exported_series import BOUNDS, NOTHING, Series
from allocmeter.integrations._exported_totals import ExportedTotals
from allocmeter.integrations._forks import restart_in_children
from allocmeter.integrations._prometheus_metrics import (
    AGE,
    BY_AGE,
    BY_AGE_HELP,
    COUNTERS,
    GAUGES,
    GROWTH,
    HISTOGRAM,
    HISTOGRAM_HELP,
    LABELS,
    RESIDENT,
    RESIDENT_HELP,
)
from allocmeter.process import process_memory
from allocmeter.registry import OTHER
from allocmeter.reports import AGE_BANDS, RetainedGrowth

if TYPE_CHECKING:
    from allocmeter.integrations._exported_series import Totals
    from allocmeter.registry import Registry

_OTHER = Labels(OTHER)
_NO_GROWTH = RetainedGrowth(0, 0, 0, 0)


class SharedMetrics:
    """Brings the shared files up to what a registry says, by what has changed since last time.

    An increment is the difference of two readings, so the files are exact although no scope is
    told of one by one. There is one such object for a registry in a process, because a difference
    may be written only once.
    """

    def __init__(self, registry: Registry) -> None:
        self._totals = ExportedTotals(registry)
        self._room = registry.max_names
        self._written: dict[Labels, Totals] = {}
        self._places: set[Labels] = set()
        self._shown: dict[Labels, Series] = {}
        self._lock = Lock()
        restart_in_children(self._begin_anew)

    def update(self) -> None:
        """Write what has changed. Safe from any thread.

        Raises:
            OSError: the files cannot be written.
        """
        with self._lock:
            found = self._totals.read()
            self._written = {labels: self._written.get(labels, NOTHING) for labels in found}
            self._places.update(map(self._place_of, found))
            for labels, series in found.items():
                self._count(labels, series.totals)
            self._show(found)
        resident_bytes = process_memory().rss_bytes
        if resident_bytes is not None:
            _metrics().resident.set(resident_bytes)

    def _place_of(self, labels: Labels) -> Labels:
        # A file never gives a series up, and there is no end of new names if a registry is reset
        # that takes them from user data.
        if labels in self._places or len(self._places) < self._room:
            self._places.add(labels)
            return labels
        return _OTHER

    def _count(self, labels: Labels, totals: Totals) -> None:
        before = self._written[labels]
        if before is not NOTHING and before == totals:
            return
        place = self._place_of(labels)
        for counter, metric in zip(_metrics().counters, COUNTERS, strict=True):
            counter.labels(*place).inc(metric.value(totals - before))
        _add(_metrics().histogram.labels(*place), totals - before)
        self._written[labels] = totals

    def _show(self, found: dict[Labels, Series]) -> None:
        shown = dict.fromkeys(self._places, Series(NOTHING))
        for labels, series in found.items():
            shown[self._place_of(labels)] += series
        for place, series in shown.items():
            before = self._shown.get(place)
            if before == series:
                continue
            for gauge, metric in zip(_metrics().gauges, GAUGES, strict=True):
                gauge.labels(*place).set(metric.value(series))
            for age, size in zip(AGE_BANDS, series.retained_by_age, strict=True):
                _metrics().by_age.labels(*place, age).set(size)
            growth = series.growth
            if growth is None and before is not None and before.growth is not None:
                growth = _NO_GROWTH  # what has been shown cannot be taken back
            if growth is not None:
                for gauge, limit in zip(_metrics().growth, GROWTH, strict=True):
                    gauge.labels(*place).set(limit.value(growth))
        self._shown = shown

    def _begin_anew(self) -> None:
        self._lock = Lock()
        self._written = {}
        self._shown = {}


@cache
def shared_metrics(registry: Registry) -> SharedMetrics:
    """Return the one object for a registry."""
    return SharedMetrics(registry)


class _Metrics:
    """The client library's own metrics, of which a process may have one set."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        def gauge(name: str, text: str, labels: tuple[str, ...], together: Any) -> Gauge:
            return Gauge(name, text, labels, multiprocess_mode=together, registry=None)

        # In no registry of the client: they are read from the files.
        self.counters = [Counter(m.name, m.help, LABELS, registry=None) for m in COUNTERS]
        self.gauges = [gauge(m.name, m.help, LABELS, m.together) for m in GAUGES]
        self.by_age = gauge(BY_AGE, BY_AGE_HELP, (*LABELS, AGE), "livesum")
        self.growth = [gauge(m.name, m.help, LABELS, m.together) for m in GROWTH]
        self.resident = gauge(RESIDENT, RESIDENT_HELP, (), "livesum")
        self.histogram = Histogram(HISTOGRAM, HISTOGRAM_HELP, LABELS, buckets=BOUNDS, registry=None)


@cache
def _metrics() -> _Metrics:
    return _Metrics()


def _add(histogram: Any, increment: Totals) -> None:
    # The client has no public way to count more than one value at a time, and none at all to keep
    # an exact sum of values that are known by their buckets only.
    histogram._sum.inc(increment.bytes_allocated)  # noqa: SLF001
    for bucket, count in zip(histogram._buckets, increment.buckets, strict=True):  # noqa: SLF001
        if count:
            bucket.inc(count)
