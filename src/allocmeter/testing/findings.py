"""What is wrong with a call that took more than it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocmeter.tolerance import limits
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from allocmeter.leak_check import LeakCheck
    from allocmeter.testing.budget import Budget, Excess
    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.markers import LeakLimits


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a call; true if anything is.

    Attributes:
        figures: of the call.
        excesses: the limits of its budget that it exceeded.
        leaks: what a check for leaks found, leak or not; `None`: there was none.
        leak: what is wrong with that, empty if nothing is.
    """

    figures: TestFigures
    excesses: tuple[Excess, ...] = ()
    leaks: LeakCheck | None = None
    leak: str = ""

    def __bool__(self) -> bool:
        return bool(self.excesses or self.leak)

    def problems(self) -> list[str]:
        """Return a line for each limit that was exceeded."""
        return [*map(str, self.excesses), *filter(None, [self.leak])]

    def headline(self, subject: str) -> str:
        """Return the problems of a test, or of a block of one, as text."""
        what = "exceeds its allocation budget" if self.excesses else "leaks memory"
        return "\n".join([f"{subject} {what}:", *(f"  {problem}" for problem in self.problems())])


def examined(
    figures: TestFigures,
    budget: Budget,
    leaks: LeakCheck | None = None,
    tolerated: LeakLimits | None = None,
) -> Findings:
    """Return what is wrong with a call of these figures."""
    leak = "" if leaks is None or tolerated is None else _leak(leaks, tolerated)
    return Findings(figures, budget.excesses(figures), leaks, leak)


def _leak(found: LeakCheck, tolerated: LeakLimits) -> str:
    most_bytes, most_blocks = limits(tolerated.max_bytes, tolerated.max_allocations)
    if found.growth_bytes <= most_bytes and found.growth_allocations <= most_blocks:
        return ""
    return (
        f"leak: +{human_count(found.growth_allocations)} blocks and "
        f"+{human_bytes(found.growth_bytes)} with each call, over {tolerated.iterations} calls "
        f"after {tolerated.warmup} to warm up; tolerated: {_tolerance(tolerated)}"
    )


def _tolerance(tolerated: LeakLimits) -> str:
    parts = []
    if tolerated.max_allocations is not None:
        parts.append(f"{human_count(tolerated.max_allocations)} blocks")
    if tolerated.max_bytes is not None:
        parts.append(human_bytes(tolerated.max_bytes))
    return " and ".join(parts) or "none"
