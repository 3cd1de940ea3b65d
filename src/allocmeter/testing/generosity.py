"""Budgets that have become much too generous: they would let a test grow to twice what it takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from allocmeter.testing.budget import amount
from allocmeter.testing.metrics import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from allocmeter.limits import Metric
    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.selection import Selection

# Less room than this is no waste, however little a test takes.
_LEAST_ROOM: Final = {"allocations": 16, "bytes": 4096, "peak": 4096}


@dataclass(frozen=True, slots=True)
class MarkedBudget:
    """What a marker `limit_allocations` allows each test below it.

    Attributes:
        owner: node id of the function, class or module that has the marker; of a function with
            parameters, without them.
        limits: by metric, those that there are.
    """

    owner: str
    limits: Mapping[Metric, int]


def budget_of(item: pytest.Item) -> MarkedBudget | None:
    """Return the budget that a marker gives a test, `None` if none does."""
    from allocmeter.testing.markers import asked_of

    found = next(item.iter_markers_with_node("limit_allocations"), None)
    if found is None:
        return None
    limits: dict[Metric, Any] = cast("dict[Metric, Any]", asdict(asked_of(item).budget))
    limited: dict[Metric, int] = {
        metric: limit for metric, limit in limits.items() if limit is not None
    }
    return MarkedBudget(found[0].nodeid.partition("[")[0], limited)


def too_generous(
    budgets: Mapping[str, MarkedBudget], tests: Mapping[str, TestFigures], selection: Selection
) -> Iterator[tuple[str, str]]:
    """Yield the owner of each budget that is much too generous, and one clause on why.

    That is a limit of which every test below the marker took less than half, and left at least
    4 KiB, or 16 blocks, of room. Unless all tests below the marker were run and passed, nothing is
    said of it.

    Args:
        budgets: by the node id of each test that has one.
        tests: the figures of the tests that passed.
        selection: of this run.
    """
    owners: dict[str, dict[str, MarkedBudget]] = {}
    for test, budget in budgets.items():
        owners.setdefault(budget.owner, {})[test] = budget
    for owner, below in owners.items():
        if not selection.has_all_of(owner, tests):
            continue
        for metric, limit in next(iter(below.values())).limits.items():
            most = max(figure(tests[test], metric) for test in below)
            if most * 2 < limit and limit - most >= _LEAST_ROOM[metric]:
                taken = amount(metric, most)
                reason = f"is much too generous: no test took more than {taken}"
                yield owner, f"{metric}={amount(metric, limit)} {reason}"
