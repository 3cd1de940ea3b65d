"""Whether two reports can be compared: same interpreter, same machine, same domains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from allocmeter.reports import Report

    class Facts(Protocol):
        """Where figures come from: reports and baselines of tests say it alike."""

        @property
        def python(self) -> str:
            """Implementation and version of the interpreter."""
            raise NotImplementedError

        @property
        def platform(self) -> str:
            """System and machine."""
            raise NotImplementedError

        @property
        def allocmeter(self) -> str:
            """Version of this library."""
            raise NotImplementedError


_MINOR: Final = re.compile(r"(\S+ [0-9]+\.[0-9]+)")
# "Linux 6.1.0-13-amd64 x86_64, 8 CPUs": the release of the kernel changes nothing.
_PLATFORM: Final = re.compile(r"(\S+) .*?(\S+)(?:, [0-9]+ CPUs)?")
# Facts of the backend that are zero as long as every block was counted.
_INCOMPLETE: Final = ("gaps", "unmeasured_scopes", "assertion_failures")
# Beyond a tenth, the work has most likely changed, and not only where a test timed out.
_CALLS_APART: Final = 0.1


def native_in_one(baseline: Report, current: Report) -> bool:
    """Return whether only one of the two reports contains native memory."""
    found = [report.domains_seen() for report in (baseline, current)]
    return sum("native" in domains for domains in found if domains is not None) == 1


def objections(baseline: Report, current: Report) -> Iterator[str]:
    """Yield one sentence for each reason not to trust a comparison of these reports."""
    yield from different_facts(baseline, current)
    if native_in_one(baseline, current):
        yield (
            "only one of the reports contains native memory: bytes and allocations are compared"
            " without it, by their means alone; peak and retained cannot be compared. Measure"
            " both with native memory, or both without"
        )
    for label, report in (("baseline", baseline), ("current report", current)):
        if any(_positive(report.backend.get(fact)) for fact in _INCOMPLETE):
            yield f"the {label} is incomplete: some blocks or scopes have no figures"
    yield from _other_work(baseline, current)


def different_facts(baseline: Facts, current: Facts) -> Iterator[str]:
    """Yield one sentence for each fact for which alone figures may differ."""
    for fact, before, now in (
        ("Python", _part(_MINOR, baseline.python), _part(_MINOR, current.python)),
        ("platform", _part(_PLATFORM, baseline.platform), _part(_PLATFORM, current.platform)),
        ("allocmeter", baseline.allocmeter, current.allocmeter),
    ):
        if before != now:
            yield (
                f"{fact} differs: {before:.60} in the baseline and {now:.60} now; figures may"
                " differ for that reason alone"
            )


def _other_work(baseline: Report, current: Report) -> Iterator[str]:
    calls = {row.name: row.count for row in baseline.rows}
    both = [row for row in current.rows if row.name in calls]
    if (baseline.rows or current.rows) and not both:
        yield "no name is in both reports, so there is nothing to compare"
    apart = [
        row for row in both if abs(row.count - calls[row.name]) > _CALLS_APART * calls[row.name]
    ]
    if apart:
        first = apart[0]
        yield (
            f"the number of calls differs by more than a tenth for {len(apart):,} of"
            f" {len(both):,} names, such as {first.name:.60}: {calls[first.name]:,} in the"
            f" baseline and {first.count:,} now; what they retain adds up over all calls"
        )


def _part(pattern: re.Pattern[str], fact: str) -> str:
    found = pattern.fullmatch(fact) or pattern.match(fact)
    return " ".join(found.groups()) if found else fact


def _positive(value: object) -> bool:
    return type(value) is int and value > 0
