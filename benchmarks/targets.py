"""What was promised, and what was reached."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.conditions import IDLE, NOTHING, NULL_HOOK, SCOPE
from benchmarks.entering import WITH
from benchmarks.spreads import (
    Spread,
    fastest_ratio,
    mean_fastest_ratio,
    mean_ratios,
    ratios,
    spread,
)
from benchmarks.subjects import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.results import Results

NAMES: Final = {
    group: [subject.name for subject in SUBJECTS if subject.group == group]
    for group in dict.fromkeys(subject.group for subject in SUBJECTS)
}
BOTH_SETS: Final = (*NAMES["allocation"], *NAMES["pyperformance"])
WORK: Final = ("allocation", "tasks", "native", "nesting", "pyperformance")
MANY_BLOCKS, FEW_BLOCKS, MANY_SCOPES, HEAP = 10**7, 10**3, 10**5, 10**7


class Target(NamedTuple):
    """A figure that is promised.

    Attributes:
        name: in the table.
        must: what it has to be.
        aim: what it should be.
        measured: gives it, by round or by subject, or nothing where it was not measured.
        least: whether it is to be at least as large, not at most.
        note: behind the figure in the table.
        fastest: gives the same figure by the fastest runs of all rounds, where that means
            something. It is told, and not judged by.
    """

    name: str
    must: float
    aim: float
    measured: Callable[[Results], Spread | None]
    least: bool = False
    note: Callable[[Results], str] = lambda _: ""
    fastest: Callable[[Results], float | None] = lambda _: None

    def verdict(self, results: Results) -> str:
        """Return "aim", "must" or "missed", or that there is no figure."""
        found = self.measured(results)
        if found is None:
            return "not measured"
        sign = -1 if self.least else 1
        if sign * found.median <= sign * self.aim:
            return "aim reached"
        return "must reached" if sign * found.median <= sign * self.must else "**missed**"


def mean_cost(group: str, condition: str, base: str) -> Callable[[Results], Spread | None]:
    """Return what gives the geometric mean over a group."""
    return lambda results: spread(mean_ratios(results, NAMES[group], condition, base).values())


def fastest_cost(group: str, condition: str, base: str) -> Callable[[Results], float | None]:
    """Return what gives the same by the fastest runs."""
    return lambda results: mean_fastest_ratio(results, NAMES[group], condition, base)


def each_cost(results: Results) -> Iterator[tuple[str, Spread]]:
    """Yield the cost of every workload with a scope for each unit of work."""
    for group in WORK:
        for name in NAMES[group]:
            found = spread(ratios(results, name, SCOPE.key, NOTHING.key).values())
            if found is not None:
                yield name, found


def worst_cost(results: Results) -> Spread | None:
    return max((found for _, found in each_cost(results)), default=None)


def worst_fastest_cost(results: Results) -> float | None:
    each = (
        fastest_ratio(results, name, SCOPE.key, NOTHING.key)
        for group in WORK
        for name in NAMES[group]
    )
    return max((found for found in each if found is not None), default=None)


def worst_name(results: Results) -> str:
    costs = {found: name for name, found in each_cost(results)}
    return costs[max(costs)] if costs else ""


def idle_cost(results: Results) -> Spread | None:
    return spread(mean_ratios(results, BOTH_SETS, IDLE.key, NULL_HOOK.key).values())


def fastest_idle_cost(results: Results) -> float | None:
    return mean_fastest_ratio(results, BOTH_SETS, IDLE.key, NULL_HOOK.key)


def throughput(results: Results) -> Spread | None:
    """Return the lowest ratio among the routes."""
    found = (
        spread(ratios(results, name, SCOPE.key, NOTHING.key, "requests per second").values())
        for name in NAMES["server"]
    )
    return min((one for one in found if one is not None), default=None)


def entering(results: Results) -> Spread | None:
    """Return the ratio of a named scope to an empty class."""
    subject = NAMES["entering"][0]
    named = results.by_round(subject, SCOPE.key, "named scope, with")
    empty = results.by_round(subject, SCOPE.key, WITH)
    return spread(named[number] / empty[number] for number in named)


def growth(subject: str, curve: str, few: int, many: int) -> Callable[[Results], Spread | None]:
    """Return what gives the growth of a cost beyond the growth that it has with null hooks.

    Memory that is far away is slow to touch, whoever measures: that is not growth of ours.
    """

    def measured(results: Results) -> Spread | None:
        at_few = ratios(results, subject, SCOPE.key, NULL_HOOK.key, f"{curve} {few}")
        at_many = ratios(results, subject, SCOPE.key, NULL_HOOK.key, f"{curve} {many}")
        return spread(at_many[number] / at_few[number] for number in at_many)

    return measured


def whole_growth(subject: str, curve: str, few: int, many: int) -> Callable[[Results], str]:
    """Return what says how much the whole cost grows, ours and that of null hooks."""

    def said(results: Results) -> str:
        texts = []
        for condition in (SCOPE, NULL_HOOK):
            at_few = results.by_round(subject, condition.key, f"{curve} {few}")
            at_many = results.by_round(subject, condition.key, f"{curve} {many}")
            if not at_few or not at_many:
                return ""
            median = statistics.median(at_many[number] / at_few[number] for number in at_many)
            texts.append(f"{median:.2f}")
        return f"as a whole {texts[0]}, with null hooks {texts[1]}"

    return said


def memory(results: Results) -> Spread | None:
    """Return the memory on top of the heap, of the kind of object for which it is most."""
    found = (
        spread(
            ratio - 1
            for ratio in ratios(results, name, SCOPE.key, NOTHING.key, f"resident {HEAP}").values()
        )
        for name in NAMES["memory"]
    )
    return max((one for one in found if one is not None), default=None)


TARGETS: Final = (
    Target(
        "allocation-heavy set, a scope, to nothing: geometric mean",
        1.20,
        1.12,
        mean_cost("allocation", SCOPE.key, NOTHING.key),
        fastest=fastest_cost("allocation", SCOPE.key, NOTHING.key),
    ),
    Target(
        "worst single workload, to nothing",
        1.40,
        1.20,
        worst_cost,
        note=worst_name,
        fastest=worst_fastest_cost,
    ),
    Target(
        "allocation-heavy set, a scope, to the null hook: geometric mean",
        1.12,
        1.05,
        mean_cost("allocation", SCOPE.key, NULL_HOOK.key),
        fastest=fastest_cost("allocation", SCOPE.key, NULL_HOOK.key),
    ),
    Target(
        "pyperformance set, a scope, to nothing: geometric mean",
        1.06,
        1.03,
        mean_cost("pyperformance", SCOPE.key, NOTHING.key),
        fastest=fastest_cost("pyperformance", SCOPE.key, NOTHING.key),
    ),
    Target(
        "installed and idle, to the null hook, both sets",
        1.05,
        1.02,
        idle_cost,
        fastest=fastest_idle_cost,
    ),
    Target("server throughput, a scope a request, to nothing", 0.95, 0.98, throughput, least=True),
    Target("enter and leave a named scope, to an empty class", 5.0, 3.0, entering),
    Target(
        "an allocation beside 10⁷ live blocks to beside 10³, blocks made afresh",
        1.5,
        1.2,
        growth("live blocks", "fresh", FEW_BLOCKS, MANY_BLOCKS),
        note=whole_growth("live blocks", "fresh", FEW_BLOCKS, MANY_BLOCKS),
    ),
    Target(
        "the same, random blocks replaced",
        1.5,
        1.2,
        growth("live blocks", "replaced", FEW_BLOCKS, MANY_BLOCKS),
        note=whole_growth("live blocks", "replaced", FEW_BLOCKS, MANY_BLOCKS),
    ),
    Target(
        "an allocation beside 10⁵ open scopes to beside 1, one works",
        1.2,
        1.05,
        growth("open scopes", "one works", 1, MANY_SCOPES),
        note=whole_growth("open scopes", "one works", 1, MANY_SCOPES),
    ),
    Target(
        "the same, all in turn",
        1.2,
        1.05,
        growth("open scopes", "in turn", 1, MANY_SCOPES),
        note=whole_growth("open scopes", "in turn", 1, MANY_SCOPES),
    ),
    Target("memory on top of a heap of 10⁷ small objects", 0.30, 0.20, memory),
)
