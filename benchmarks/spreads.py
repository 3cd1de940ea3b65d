"""Medians, quartiles and ratios of what was measured."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.results import Results


class Spread(NamedTuple):
    """The middle of several values, and the half of them that lies around it.

    Attributes:
        median: of the values.
        low: the lower quartile, interpolated linearly.
        high: the upper quartile.
        of: how many values there are.
    """

    median: float
    low: float
    high: float
    of: int

    @property
    def half_width(self) -> float:
        """Half of the distance between the quartiles."""
        return (self.high - self.low) / 2


def spread(values: Iterable[float]) -> Spread | None:
    """Return the middle of values, or `None` of none."""
    found = sorted(values)
    if not found:
        return None
    if len(found) == 1:
        return Spread(found[0], found[0], found[0], 1)
    low, median, high = statistics.quantiles(found, n=4, method="inclusive")
    return Spread(median, low, high, len(found))


def ratios(
    results: Results, subject: str, condition: str, base: str, figure: str = "seconds"
) -> dict[int, float]:
    """Return a figure by round, divided by that of another condition in the same round.

    What slows the machine down for a minute slows both, so ratios spread less than the figures.
    """
    below = results.by_round(subject, base, figure)
    above = results.by_round(subject, condition, figure)
    return {number: above[number] / below[number] for number in above if below.get(number)}


def mean_ratios(
    results: Results, subjects: Sequence[str], condition: str, base: str
) -> dict[int, float]:
    """Return the geometric mean over subjects by round, for rounds that have all of them."""
    each = [ratios(results, subject, condition, base) for subject in subjects]
    if not each:
        return {}
    complete = set.intersection(*(set(found) for found in each))
    return {
        number: statistics.geometric_mean(found[number] for found in each)
        for number in sorted(complete)
    }


def fastest_ratio(results: Results, subject: str, condition: str, base: str) -> float | None:
    """Return the seconds of the fastest run of all rounds, divided by those of the other condition.

    It is what is left when nothing has slowed either down, where the machine changes its pace from
    run to run: then ratios within a round spread widely around it. `None`: not measured.
    """
    above = results.by_round(subject, condition, "seconds").values()
    below = results.by_round(subject, base, "seconds").values()
    return min(above) / min(below) if above and below else None


def mean_fastest_ratio(
    results: Results, subjects: Sequence[str], condition: str, base: str
) -> float | None:
    """Return the geometric mean of these over subjects, if all of them were measured."""
    each = [fastest_ratio(results, subject, condition, base) for subject in subjects]
    found = [ratio for ratio in each if ratio is not None]
    return statistics.geometric_mean(found) if found and len(found) == len(each) else None
