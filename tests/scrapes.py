"""What a scrape of metrics says."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families


def scraped(*collectors):
    """Return the exposition of collectors, as text."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry).decode()


def samples_of(text):
    """Return the samples of an exposition: (name, scope, le or None) -> value.

    A series that occurs twice, for which Prometheus would refuse the scrape, is an error.
    """
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("scope"), sample.labels.get("le"))
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
        found |= {(f"allocmeter_{name}", row.name, None): value for name, value in figures.items()}
    return found


def without_steps(samples):
    """Return samples but for the histogram's steps and for what has no row in a report."""
    apart = ("_bucket", "_leaking", "_resident_bytes", "_created")
    return {key: value for key, value in samples.items() if not key[0].endswith(apart)}
