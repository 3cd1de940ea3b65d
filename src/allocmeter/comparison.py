"""How the figures of an operation differ from those of an earlier time."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from typing import Self

    from allocmeter.runs import Quantity, Runs


@dataclass(frozen=True, slots=True)
class Change:
    """How one figure differs from its baseline.

    Attributes:
        baseline: the figure before.
        current: the figure now.
    """

    baseline: float
    current: float

    @property
    def absolute(self) -> float:
        """The difference, in the unit of the figure; positive if it grew."""
        return self.current - self.baseline

    @property
    def relative(self) -> float:
        """The difference as a share of the baseline: 0.1 is 10 % more; infinite from 0."""
        if self.baseline == 0:
            return math.copysign(math.inf, self.current) if self.current else 0.0
        return self.absolute / self.baseline


@dataclass(frozen=True, slots=True)
class ProfileComparison:
    """How the successful runs of a profiler differ from a baseline's; `str()` is a table.

    Attributes:
        mean_bytes: change of the mean of bytes allocated per run.
        median_bytes: change of their median.
        p95_bytes: change of their 95th percentile.
        mean_allocations: change of the mean of blocks allocated per run.
        median_allocations: change of their median.
        p95_allocations: change of their 95th percentile.
        mean_peak_bytes: change of the mean of each run's highest live bytes.
        median_peak_bytes: change of their median.
        p95_peak_bytes: change of their 95th percentile.
    """

    mean_bytes: Change
    median_bytes: Change
    p95_bytes: Change
    mean_allocations: Change
    median_allocations: Change
    p95_allocations: Change
    mean_peak_bytes: Change
    median_peak_bytes: Change
    p95_peak_bytes: Change

    @classmethod
    def between(cls, baseline: Runs, current: Runs) -> Self:
        """Compare the runs of two profilers.

        Raises:
            ValueError: one of the two has no successful run.
        """
        for runs, holder in ((baseline, "baseline"), (current, "profiler")):
            if not runs.measurements:
                raise ValueError(
                    f"the {holder} has no successful measurement, so a change cannot be told; "
                    "run the operation under it first"
                )

        def changes(of: Quantity) -> tuple[Change, Change, Change]:
            return (
                Change(baseline.mean(of), current.mean(of)),
                Change(baseline.median(of), current.median(of)),
                Change(baseline.percentile(of, 95), current.percentile(of, 95)),
            )

        return cls(*changes("bytes_allocated"), *changes("allocations"), *changes("peak_bytes"))

    def __str__(self) -> str:
        lines = [f"{'':<18} {'baseline':>12} {'now':>12} {'change':>12} {'relative':>8}"]
        for field in fields(self):
            change: Change = getattr(self, field.name)
            shown = human_bytes if field.name.endswith("bytes") else human_count
            difference = ("+" if change.absolute > 0 else "") + shown(change.absolute)
            lines.append(
                f"{field.name.replace('_', ' '):<18} {shown(change.baseline):>12}"
                f" {shown(change.current):>12} {difference:>12} {change.relative:>+8.1%}"
            )
        return "\n".join(lines)
