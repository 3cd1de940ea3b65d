"""What a report says beside its rows: the facts that every renderer shows.

`backend` and `process` may hold anything that JSON has, and less in one report than in another.
A fact that is missing, or not of the kind it should be, is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocmeter.reports import Report

# Facts of the backend that are zero as long as every block was counted.
_INCOMPLETE: Final = (
    ("gaps", "another tool removed the allocator hooks, so blocks may be missing; times: {:,}"),
    (
        "assertion_failures",
        "an internal check of allocmeter failed, and nothing was counted from then on; times: {:,}",
    ),
    ("unmeasured_scopes", "the core's table was full; scopes without figures: {:,}"),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The facts of a report; what it does not carry is `None`.

    Attributes:
        domains: the domains that were seen.
        incomplete: one sentence for each reason why blocks are missing in the figures.
        allocations: blocks that the process allocated while it was tracked or inside scopes.
        bytes_allocated: likewise in bytes.
        peak_bytes: the most bytes that were alive at once.
        live_bytes: bytes alive when the report was made.
        live_allocations: likewise in blocks.
        native_allocations: blocks out of all that C code asked of `malloc` by itself.
        native_bytes_allocated: likewise in bytes.
        peak_rss_bytes: the highest resident set size.
        whole_bytes: what a row's bytes are a share of: all that the process allocated, or what
            the rows add up to if that is not known.
    """

    domains: tuple[str, ...] | None
    incomplete: tuple[str, ...]
    allocations: int | None
    bytes_allocated: int | None
    peak_bytes: int | None
    live_bytes: int | None
    live_allocations: int | None
    native_allocations: int | None
    native_bytes_allocated: int | None
    peak_rss_bytes: int | None
    whole_bytes: int

    def share(self, bytes_allocated: int) -> float:
        """Return which share these bytes are of all, 0 to 1."""
        return bytes_allocated / self.whole_bytes if self.whole_bytes else 0.0


def summary_of(report: Report) -> Summary:
    """Return the facts of a report that are sound."""
    process = report.process
    bytes_allocated = _figure(process, "bytes_allocated")
    sums = [row.bytes_allocated.sum for row in report.rows]
    # A file may hold less for the process than for a scope; no share is above 1 even so.
    whole = sum(sums) if bytes_allocated is None else max([bytes_allocated, *sums])
    return Summary(
        domains=report.domains_seen(),
        incomplete=tuple(
            meaning.format(times)
            for fact, meaning in _INCOMPLETE
            if (times := _figure(report.backend, fact))
        ),
        allocations=_figure(process, "allocations"),
        bytes_allocated=bytes_allocated,
        peak_bytes=_figure(process, "peak_bytes"),
        live_bytes=_figure(process, "live_bytes"),
        live_allocations=_figure(process, "live_allocations"),
        native_allocations=_figure(process, "native_allocations"),
        native_bytes_allocated=_figure(process, "native_bytes_allocated"),
        peak_rss_bytes=_figure(process, "peak_rss_bytes"),
        whole_bytes=whole,
    )


def _figure(facts: Mapping[str, object], name: str) -> int | None:
    value = facts.get(name)
    # Beyond 64 bits it is no figure of a process, and would overflow a float.
    return value if type(value) is int and 0 <= value < 2**64 else None
