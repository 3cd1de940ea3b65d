"""What the markers of a test ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from allocmeter.checks import check_count
from allocmeter.testing.budget import Budget, budget, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class LeakLimits:
    """How a test is checked for leaks, and how much growth per call is tolerated.

    Attributes:
        max_bytes: bytes; `None`: any number, if blocks are limited.
        max_allocations: blocks; `None`: any number, if bytes are limited.
        iterations: calls that are looked at.
        warmup: calls before those.
    """

    max_bytes: int | None
    max_allocations: int | None
    iterations: int
    warmup: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a test's markers ask for, the closest of each name.

    Attributes:
        budget: of one call of the function.
        rounds: how often it is called, for the smallest figures.
        leaks: how it is checked for leaks; `None`: not at all.
        by_marker: whether there is any marker.
    """

    budget: Budget
    rounds: int
    leaks: LeakLimits | None
    by_marker: bool


def asked_of(item: pytest.Item) -> Asked:
    """Return what the markers of an item ask for.

    Raises:
        pytest.UsageError: a marker is malformed; the text names the test.
    """
    limits, leaks = (item.get_closest_marker(name) for name in ("limit_allocations", "no_leaks"))
    budget_of_call, rounds = (Budget(), 1) if limits is None else _read(_limit, limits, item)
    return Asked(
        budget_of_call,
        rounds,
        None if leaks is None else _read(_no_leaks, leaks, item),
        by_marker=limits is not None or leaks is not None,
    )


def check(items: Iterable[pytest.Item]) -> None:
    """Read the markers of all these tests, to say at once what is wrong with them.

    Raises:
        pytest.UsageError: markers are malformed; the text names their tests.
    """
    problems: dict[str, None] = {}
    for item in items:
        try:
            asked_of(item)
        except pytest.UsageError as error:
            problems[str(error)] = None
    if problems:
        listed = list(problems)[:_SHOWN]
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise pytest.UsageError("\n".join([*listed, *more]))


def _limit(
    allocations: object = None,
    bytes: object = None,
    peak: object = None,
    rounds: object = 1,
) -> tuple[Budget, int]:
    return budget(allocations, bytes, peak), check_count("rounds", rounds, 1)


def _no_leaks(
    max_bytes: object = None,
    max_allocations: object = None,
    iterations: object = 5,
    warmup: object = 2,
) -> LeakLimits:
    return LeakLimits(
        None if max_bytes is None else size("max_bytes", max_bytes),
        None if max_allocations is None else check_count("max_allocations", max_allocations),
        check_count("iterations", iterations, 1),
        check_count("warmup", warmup),
    )


_TAKES: Final = {
    "limit_allocations": "allocations, bytes, peak and rounds",
    "no_leaks": "max_bytes, max_allocations, iterations and warmup",
}


def _read(reader: Callable[..., Any], mark: pytest.Mark, item: pytest.Item) -> Any:
    from inspect import signature

    where = f"{item.nodeid.partition('[')[0]}: @pytest.mark.{mark.name}"
    try:
        arguments = signature(reader).bind(*mark.args, **mark.kwargs)
    except TypeError as error:
        raise pytest.UsageError(f"{where}: {error}; it takes {_TAKES[mark.name]}") from None
    try:
        return reader(*arguments.args, **arguments.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{where}: {error}") from None
