"""What a scrape of metrics says."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

AGES = ["<10s", "10s-1m", "1m-10m", ">10m"]


def scraped(*collectors):
    """Return the exposition of collectors, as text."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry).decode()


def samples_of(text):
    """Return the samples of an exposition: (name, scope, le or age or None) -> value.

    A series that occurs twice, for which Prometheus would refuse the scrape, is an error.
    """
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            key = (sample.name, labels.get("scope"), labels.get("le", labels.get("age")))
            assert key not in found
            found[key] = sample.value
    return found


def expected(report):
    """Return the samples, without the histogram's steps, that stand for the rows of a report."""
    found = {}
    for row in report.rows:
        figures = {
            "allocated_bytes_total": row.bytes_allocated.sum,
            "allocations_total": row.allocations.sum,
            "late_allocated_bytes_total": row.late_bytes_allocated,
            "scope_errors_total": row.errors,
            "scope_cancellations_total": row.cancelled,
            "scope_allocated_bytes_count": row.count,
            "scope_allocated_bytes_sum": row.bytes_allocated.sum,
            "scope_peak_bytes": row.peak_bytes.max,
            "retained_bytes": row.retained_bytes,
            "retained_allocations": row.retained_allocations,
        }
        if row.retained_growth is not None and row.count >= 64:
            growth = row.retained_growth
            figures |= {
                "retained_growth_bytes": growth.bytes_per_1000_calls / 1000,
                "retained_growth_low_bytes": growth.low / 1000,
                "retained_growth_high_bytes": growth.high / 1000,
            }
        found |= {(f"allocmeter_{name}", row.name, None): value for name, value in figures.items()}
        for age, (size, _) in zip(AGES, row.retained_by_age, strict=True):
            found["allocmeter_retained_by_age_bytes", row.name, age] = size
    return found


def without_steps(samples):
    """Return samples but for the histogram's steps and for what has no row in a report."""
    apart = ("_bucket", "_leaking", "_resident_bytes", "_created")
    return {key: value for key, value in samples.items() if not key[0].endswith(apart)}
