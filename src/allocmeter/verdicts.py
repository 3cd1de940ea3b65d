"""What the figures of a row say about it: whether its scopes leak, or peak far above the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from allocmeter.reports import Distribution, ReportRow, RetainedGrowth

# From 20 calls on, a single odd one is among the 5 % beyond the 95th percentile.
MIN_CALLS: Final = 20

# The least that an entry of a growing container costs is some 64 bytes: a small object and
# its slot. Half of that leaves room for estimated percentiles; what is smaller is a lone
# number, which a counter or a time stamp leaves behind in any call.
MIN_LEAK_BYTES: Final = 32

# This share of what the typical call kept must still be alive. A bounded cache, or results that
# are consumed a little later, fall below it as calls go on; a leak stays above, even where most of
# what a call holds at its end is the event loop's and freed a moment later.
LEAK_SHARE: Final = 1 / 3

# From so many calls on, the growth of what they retain tells more than what each call kept.
MIN_CALLS_OF_GROWTH: Final = 64

# A block that went through one of the interpreter's free lists still counts for its first owner, so
# a neighbour of a leak seems to grow as well: by some 50 to 100 bytes a call, as was seen.
MIN_GROWTH_BYTES: Final = 100

# A cache that is filled by keys at random grows at 0.64 of its earlier rate when the calls are as
# many as its keys, at 0.41 when they are twice as many; a leak goes on at the same rate.
SUSTAINED: Final = 0.6

# The sizes of ordinary inputs spread over a small factor; eight medians are out of the
# ordinary.
PEAK_RATIO: Final = 8

# A smaller peak does not show in a process, whatever its ratio to the median: the interpreter
# takes memory for small objects from the system 1 MiB at a time.
MIN_PEAK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures of a row say, and the figures that say it.

    Attributes:
        kind: `leaks`, the typical call keeps memory that stays alive; `peaks`, some call needs
            far more at a time than the typical one; `few`, too few calls to tell; or `ok`.
        reason: one sentence with the figures behind it.
    """

    kind: Literal["ok", "leaks", "peaks", "few"]
    reason: str


def verdict(row: ReportRow) -> Verdict:
    """Judge a row by its measurements alone; its name plays no part.

    A row that both leaks and peaks is said to leak. A row whose report does not carry what
    each call retained is never said to leak.
    """
    calls = human_count(row.count)
    if row.count < MIN_CALLS:
        return Verdict("few", f"a verdict needs {MIN_CALLS} calls and there were {calls}")
    alive = f"{human_bytes(row.retained_bytes)} still alive after {calls} calls"
    growth = judged_growth(row)
    if growth is not None:
        if _goes_on(row, growth):
            each = human_bytes(growth.bytes_per_1000_calls / 1000)
            low, high = human_bytes(growth.low / 1000), human_bytes(growth.high / 1000)
            return Verdict("leaks", f"keeps {each} a call ({low} to {high}): {alive}")
    elif row.retained is not None and _leaks(row, row.retained):
        return Verdict("leaks", f"keeps {human_bytes(row.retained.p50)} a call: {alive}")
    largest, median = row.peak_bytes.max, row.peak_bytes.p50
    if largest >= MIN_PEAK_BYTES and largest >= PEAK_RATIO * median:
        # A damaged or foreign report may hold a median that is no whole byte.
        times = f", {human_count(round(largest / median))} times as much" if median >= 1 else ""
        usual = f"the median call at {human_bytes(median)}"
        return Verdict("peaks", f"peaks at {human_bytes(largest)}{times}; {usual}")
    if growth is not None and has_slowed_down(row):
        return Verdict("ok", f"{_filling(growth)}: {alive}")
    peaks = f"largest peak {human_bytes(largest)}, median {human_bytes(median)}"
    return Verdict("ok", f"{alive}; {peaks}")


def judged_growth(row: ReportRow) -> RetainedGrowth | None:
    """Return how what the calls retain grows, `None` if it is not known or they are too few."""
    return row.retained_growth if row.count >= MIN_CALLS_OF_GROWTH else None


def grows(row: ReportRow) -> bool:
    """Whether what the calls retain grows at all, and by more than free lists account for."""
    growth = judged_growth(row)
    return (
        growth is not None
        and growth.is_significant
        and growth.bytes_per_1000_calls >= MIN_GROWTH_BYTES * 1000
    )


def has_slowed_down(row: ReportRow) -> bool:
    """Whether the calls filled something, such as a cache, which grows less than it did."""
    growth = judged_growth(row)
    if growth is None or growth.earlier < MIN_GROWTH_BYTES * 1000:
        return False
    # What was kept for a while and is freed by now has filled nothing.
    alive = row.retained_bytes >= LEAK_SHARE * growth.earlier / 1000 * row.count / 2
    return alive and _slows_down(growth)


def _filling(growth: RetainedGrowth) -> str:
    before = f"grew {human_bytes(growth.earlier)} per 1,000 calls before"
    if not growth.is_significant:
        return f"filled up ({before})"
    state = "fills up" if growth.low > 0 else "filled up"
    return f"{state} ({before}, {human_bytes(growth.bytes_per_1000_calls)} now)"


def _slows_down(growth: RetainedGrowth) -> bool:
    return growth.bytes_per_1000_calls < SUSTAINED * growth.earlier


def _goes_on(row: ReportRow, growth: RetainedGrowth) -> bool:
    if growth.low < MIN_GROWTH_BYTES * 1000:
        return False
    # What was kept for a while, by whoever waited for all the results, is freed by now.
    alive = row.retained_bytes >= LEAK_SHARE * growth.bytes_per_1000_calls / 1000 * row.count
    return alive and not _slows_down(growth)


def _leaks(row: ReportRow, retained: Distribution) -> bool:
    if retained.p50 < MIN_LEAK_BYTES:
        return False
    # A cache filled once, by one call or by a few, may be all that is alive. What the typical
    # calls left is what lies beyond it.
    filled_once = max(retained.max, retained.sum - retained.p95 * row.count)
    return row.retained_bytes - filled_once >= LEAK_SHARE * retained.p50 * row.count
