"""Which names of a comparison grew beyond the limits, told apart from noise.

A program that does the same work twice does not allocate the same twice: which request meets a
full free list, grows a shared table or imports a module is a matter of timing. Such a call moves
the mean, however many other calls there are, and hardly anything else. And the percentiles of a
report are read from histograms with steps of up to 3 %, so they can move by that much when next
to nothing has changed. Each alone says little; both together say that the calls have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from allocmeter.errors import AllocmeterError
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allocmeter.comparison import Change
    from allocmeter.limits import Limit, Metric
    from allocmeter.report_comparison import DistributionChange, ReportComparison, RowComparison

# What the interpreter keeps in free lists when a report is made belongs to whichever scopes made
# it. Over 20 runs of unchanged servers and task trees a name's share moved by up to 3.5 KiB.
FREE_LISTS: Final = 4096

# Chance moves the mean of unchanged calls by less than this: of the 2,560 blocks of a request, or
# the 99,000 of a connection, one in three thousand is there in one run and not in the next.
NOISE: Final = 0.001

# The steps that percentiles are read from may hide up to 3 % of growth: to ask for the whole limit
# would miss calls that have grown by little more. How much they grew, the exact mean has said.
_MOVED_ALONG: Final = 0.5

# Among a few hundred calls the highest twentieth are those that happened to start a thread or to
# grow a table. In unchanged programs they moved the mean by up to 2.8 %; they cannot move one of
# many calls, nor any by much more.
_MANY_CALLS: Final = 1000
_BEYOND_CHANCE: Final = 0.05

_UNITS: Final = {"bytes": " a call", "allocations": " a call", "peak": " a call", "retained": ""}


class IncomparableError(AllocmeterError, ValueError):
    """A limit is on a metric that the two reports do not have on the same footing."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A name that grew by more than a limit allows; `str()` is the reason with the name.

    Attributes:
        name: the name of the scopes.
        metric: what grew.
        limit: the limit it is about.
        change: the figure that grew; `None` if it cannot be compared, but is a new leak.
        reason: one line with the figures and the limit, without the name.
    """

    name: str
    metric: Metric
    limit: Limit
    change: Change | None
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def violations(comparison: ReportComparison, limits: Iterable[Limit]) -> tuple[Violation, ...]:
    """Return what grew by more than the limits allow, in the order of the rows.

    - `bytes`, `allocations`, `peak`: the mean of the calls must have grown by more than the limit
      and by more than a thousandth, and the minimum, the median or the 95th percentile by more
      than half of the limit: an outlier moves the mean alone. The 95th percentile by itself
      counts from 1,000 calls on, or if the mean grew by more than 5 %. With fewer than 20 calls
      in one of the reports an outlier cannot be told from the rest, so it is the minimum that
      must have grown, by more than the limit: every call needs more than the cheapest did
      before. A plain number of allocations is compared with whole blocks a call: +0.4 a call is
      none more.
    - `retained`: the bytes of all calls together must have grown by more than the limit and by
      more than 4 KiB, which the interpreter's free lists account for; or the name leaks now and
      did not in the baseline, however little it keeps a call.
    - A new name has no baseline and only its `retained` is limited: it counts from 0.

    Args:
        comparison: what `compare_reports` returned.
        limits: what `parse_limits` returned, or limits made directly.

    Raises:
        IncomparableError: a limited metric cannot be compared, because only one of the reports
            contains native memory.
    """
    wanted = tuple(limits)
    return tuple(found for row in comparison.rows for found in _of_row(row, wanted))


def _of_row(row: RowComparison, limits: tuple[Limit, ...]) -> Iterator[Violation]:
    for limit in limits:
        if limit.metric == "retained":
            change, grew, leak = row.retained_bytes, _retains_more(row, limit), row.is_new_leak
        elif row.presence == "new":
            continue
        else:
            quantity = _quantity(row, limit.metric)
            change, leak = quantity.mean, False
            grew = _calls_grew(row, quantity, limit)
        if grew or leak:
            reason = _reason(row, limit, change if grew else None, leak=leak)
            yield Violation(row.name, limit.metric, limit, change, reason)


def _calls_grew(row: RowComparison, quantity: DistributionChange, limit: Limit) -> bool:
    mean = quantity.mean
    if limit.metric == "allocations" and not limit.relative:
        grew = round(mean.absolute) > limit.allowed
    else:
        grew = limit.exceeded_by(mean)
    if not grew or mean.relative <= NOISE:
        return False
    if quantity.min is None:
        return True
    if row.has_few_calls:
        return limit.exceeded_by(quantity.min)
    moved = [quantity.min, quantity.p50]
    calls = min(row.calls.baseline, row.calls.current)
    if calls >= _MANY_CALLS or mean.relative > _BEYOND_CHANCE:
        moved.append(quantity.p95)
    return any(
        limit.exceeded_by(change, share=_MOVED_ALONG) for change in moved if change is not None
    )


def _retains_more(row: RowComparison, limit: Limit) -> bool:
    change = row.retained_bytes
    if change is None:
        if row.is_new_leak:
            return False
        raise _incomparable(row, limit.metric)
    return limit.exceeded_by(change) and change.absolute > FREE_LISTS


def _quantity(row: RowComparison, metric: Metric) -> DistributionChange:
    found = {
        "bytes": row.bytes_allocated,
        "allocations": row.allocations,
        "peak": row.peak_bytes,
    }[metric]
    if found is None:
        raise _incomparable(row, metric)
    return found


def _incomparable(row: RowComparison, metric: str) -> IncomparableError:
    return IncomparableError(
        f"{metric} of {row.name!r:.60} cannot be compared: only one of the reports contains native"
        " memory. Measure both with native memory or both without, or leave the limit out"
    )


def _reason(row: RowComparison, limit: Limit, change: Change | None, *, leak: bool) -> str:
    parts: list[str] = []
    if change is not None:
        parts.append(growth_text(limit, change, _UNITS[limit.metric]))
    if leak and row.current_verdict is not None:
        parts.append(f"new leak: {row.current_verdict.reason}")
    return f"{limit.metric} {'; '.join(parts)}"


def growth_text(limit: Limit, change: Change, unit: str = "") -> str:
    """Return a figure before and now, how much it grew, and how much it was allowed to."""
    shown = human_count if limit.metric == "allocations" else human_bytes
    grown = f"{'+' if change.absolute > 0 else ''}{shown(change.absolute)}"
    if change.baseline and change.relative < 10:
        grown += f", {change.relative:+.2%}"
    return (
        f"{shown(change.baseline)} -> {shown(change.current)}{unit} ({grown}), "
        f"{limit.amount} allowed"
    )
