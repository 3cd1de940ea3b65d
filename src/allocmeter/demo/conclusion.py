"""Says what a run of the demo found, from the report alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter.histogram import AllocationHistogram
from allocmeter.verdicts import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocmeter.demo.runner import Outcome
    from allocmeter.reports import Report, ReportRow

HISTOGRAM_BUCKETS = 8


def conclude(report: Report, outcome: Outcome) -> str:
    """Return the report, the endpoints that stand out, and how the requests of one spread."""
    sections = [
        _pace(outcome),
        str(report),
        "\n".join(_findings(report)),
        _histogram(report),
    ]
    return "\n\n".join(sections)


def _pace(outcome: Outcome) -> str:
    rate = outcome.sent / outcome.seconds
    text = f"{outcome.sent:,} requests in {outcome.seconds:.1f} s: {rate:,.0f} requests/s."
    if outcome.sent < outcome.planned:
        text += f" The time was up before the other {outcome.planned - outcome.sent:,} were sent."
    return text


def _findings(report: Report) -> Iterator[str]:
    """Name the endpoints that leak and those that peak; the table above gives the reasons."""
    by_kind: dict[str, list[str]] = {"leaks": [], "peaks": [], "few": [], "ok": []}
    for row in report.rows:
        by_kind[verdict(row).kind].append(repr(row.name))
    for name in by_kind["leaks"]:
        yield f"{name} leaks: its requests keep memory that nothing frees."
    for name in by_kind["peaks"]:
        yield f"{name} peaks: some of its requests need far more memory than the others."
    if by_kind["few"]:
        yield f"Too few requests to judge {', '.join(by_kind['few'])}: give a larger --requests."
    elif not by_kind["leaks"] and not by_kind["peaks"]:
        yield "No endpoint stands out."


def _histogram(report: Report) -> str:
    row = max(report.rows, key=_spread)
    histogram = AllocationHistogram.from_counts(
        (((lower + upper) / 2, count) for lower, upper, count in row.histogram),
        HISTOGRAM_BUCKETS,
    )
    return f"Bytes allocated by each of the {row.count:,} requests of {row.name!r}:\n{histogram}"


def _spread(row: ReportRow) -> float:
    return row.bytes_allocated.max / max(row.bytes_allocated.p50, 1)
