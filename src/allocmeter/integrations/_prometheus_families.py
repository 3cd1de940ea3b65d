"""The metrics of one process, made anew for every scrape."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from allocmeter.integrations._exported_series import BOUNDS
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
from allocmeter.reports import AGE_BANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.core import Metric

    from allocmeter.integrations._exported_labels import Labels
    from allocmeter.integrations._exported_series import Series


def families(found: Mapping[Labels, Series], resident_bytes: int | None) -> list[Metric]:
    """Return every metric with a sample for each series; no sample where a figure is unknown."""
    from prometheus_client import core, utils

    counters = [core.CounterMetricFamily(m.name, m.help, labels=LABELS) for m in COUNTERS]
    gauges = [core.GaugeMetricFamily(m.name, m.help, labels=LABELS) for m in GAUGES]
    by_age = core.GaugeMetricFamily(BY_AGE, BY_AGE_HELP, labels=(*LABELS, AGE))
    growth = [core.GaugeMetricFamily(m.name, m.help, labels=LABELS) for m in GROWTH]
    histogram = core.HistogramMetricFamily(HISTOGRAM, HISTOGRAM_HELP, labels=LABELS)
    resident = core.GaugeMetricFamily(RESIDENT, RESIDENT_HELP)
    edges = [*map(utils.floatToGoString, BOUNDS), "+Inf"]
    for labels, series in found.items():
        for counter, total in zip(counters, COUNTERS, strict=True):
            counter.add_metric(labels, total.value(series.totals))
        for gauge, metric in zip(gauges, GAUGES, strict=True):
            gauge.add_metric(labels, metric.value(series))
        for age, size in zip(AGE_BANDS, series.retained_by_age, strict=True):
            by_age.add_metric((*labels, age), size)
        if series.growth is not None:
            for gauge, limit in zip(growth, GROWTH, strict=True):
                gauge.add_metric(labels, limit.value(series.growth))
        cumulated = zip(edges, map(float, accumulate(series.totals.buckets)), strict=True)
        histogram.add_metric(labels, list(cumulated), series.totals.bytes_allocated)
    if resident_bytes is not None:
        resident.add_metric((), resident_bytes)
    return [*counters, *gauges, by_age, *growth, histogram, resident]
