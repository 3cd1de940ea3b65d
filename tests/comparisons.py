"""Reports made by hand, for tests of what is said about two of them."""

from __future__ import annotations

from dataclasses import replace

from allocmeter.report_comparison import compare_reports
from allocmeter.reports import Distribution, Report, ReportRow

CALLS = 200


def distribution(value=0, *, calls=CALLS, **figures):
    """Calls that are all alike, but for the figures given."""
    same = dict.fromkeys(("min", "mean", "p50", "p95", "p99", "max"), value)
    return Distribution(**{**same, "sum": round(value * calls), **figures})


def row(name="work", allocated=10_000, *, calls=CALLS, **changes):
    """Scopes that each allocated this many bytes in 40 blocks and retained nothing."""
    figures = {
        "name": name,
        "count": calls,
        "errors": 0,
        "cancelled": 0,
        "bytes_allocated": distribution(allocated, calls=calls),
        "allocations": distribution(40, calls=calls),
        "peak_bytes": distribution(allocated, calls=calls),
        "retained_bytes": 0,
        "retained_allocations": 0,
        "late_bytes_allocated": 0,
        "retained": distribution(calls=calls),
    }
    return ReportRow(**{**figures, **changes})


def leaking(name="work", *, size=1024, calls=CALLS, **changes):
    """Scopes that each keep one block of this size."""
    kept = {
        "retained_bytes": size * calls,
        "retained_allocations": calls,
        "retained": distribution(size, calls=calls),
    }
    return row(name, calls=calls, **{**kept, **changes})


def report(*rows, native=None, **changes):
    """A report on these rows, with native memory seen if `native` is an empty text."""
    domains = {"python": "", "native": "not preloaded" if native is None else native}
    facts = Report(
        rows=rows,
        allocmeter="0.1.0",
        python="cpython 3.12.4",
        platform="Linux 6.1.0-13-amd64 x86_64, 8 CPUs",
        backend={"domains": domains, "gaps": 0, "unmeasured_scopes": 0},
        process={"rss_bytes": 1024},
        created_at="2026-01-02T03:04:05+00:00",
    )
    return replace(facts, **changes)


def compared(before, now):
    """The comparison of two reports of one row each."""
    return compare_reports(report(before), report(now))
