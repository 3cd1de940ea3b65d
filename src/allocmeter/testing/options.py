"""The options of the pytest plugin, and what they ask for together.

Imported in every run of pytest, so only what declares the options is at the top.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.limits import Limit, Metric

# Stands for the name that is not given in `--allocmeter-save` and `--allocmeter-compare`: names
# of baselines begin with a letter or a digit.
UNNAMED: Final = "-"

# As in `allocmeter.limits`, which is not imported for them in every run.
SORT_KEYS: Final = ("bytes", "allocations", "peak", "retained")


# Of each test, when its figures are kept or compared: the first fills caches, and four more show
# most of what varies.
_ROUNDS: Final = 5


class Options(NamedTuple):
    """What the command line asks for.

    Attributes:
        measures_all: whether every test is measured.
        save: the name to save the figures under, `UNNAMED` for the next number; `None`: not.
        compare: the baseline to compare with, `UNNAMED` for the latest; `None`: none.
        limits: the growth that is allowed.
        ratchet: whether what has become much too generous fails too.
        asked_rounds: how often each measured test is to be called, 1 if nothing was said.
        rounds: how often it is called if it can be, and always gives the same figures.
        top: how many tests to list; 0 for all.
        sort: the figure that they are sorted by, one of `SORT_KEYS`.
    """

    measures_all: bool
    save: str | None
    compare: str | None
    limits: tuple[Limit, ...]
    ratchet: bool
    asked_rounds: int
    rounds: int
    top: int
    sort: Metric


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("allocmeter", "memory that tests allocate")
    group.addoption(
        "--allocmeter",
        action="store_true",
        help="measure every test, and list those that allocate most",
    )
    group.addoption(
        "--allocmeter-rounds",
        type=_at_least(1),
        metavar="N",
        help="call every measured test N times; the smallest figures count (default: 1, or 5 to "
        "save or to compare)",
    )
    group.addoption(
        "--allocmeter-top",
        type=_at_least(0),
        default=10,
        metavar="N",
        help="list so many tests, 0 for all (default: 10)",
    )
    group.addoption(
        "--allocmeter-sort",
        choices=SORT_KEYS,
        default=SORT_KEYS[0],
        help="the figure that the list is sorted by (default: bytes)",
    )
    group.addoption(
        "--allocmeter-save",
        nargs="?",
        const=UNNAMED,
        metavar="NAME",
        help="save the figures as a baseline: under the next number, or under NAME, where tests "
        "that were not selected keep their figures",
    )
    group.addoption(
        "--allocmeter-compare",
        nargs="?",
        const=UNNAMED,
        metavar="NAME",
        help="compare with the latest numbered baseline, or with NAME",
    )
    group.addoption(
        "--allocmeter-compare-fail",
        type=_limits,
        default=(),
        metavar="SPEC",
        help="fail if a test grew by more than SPEC allows: METRIC:LIMIT joined by commas, such as "
        "bytes:5%%,allocations:0, of bytes, allocations, peak and retained",
    )
    group.addoption(
        "--allocmeter-ratchet",
        action="store_true",
        help="fail too if a test shrank by as much, or if a budget has become much too generous",
    )


def is_asked_for(config: pytest.Config) -> bool:
    """Tell whether some option asks for more than the markers do."""
    option = config.option
    return _measures_all(option) or bool(
        option.allocmeter_compare_fail or option.allocmeter_ratchet
    )


def _measures_all(option: argparse.Namespace) -> bool:
    named = (option.allocmeter_save, option.allocmeter_compare)
    return bool(option.allocmeter) or any(name is not None for name in named)


def options_of(config: pytest.Config) -> Options:
    """Return what the command line asks for.

    Raises:
        pytest.UsageError: options contradict each other, or a name is none.
    """
    from allocmeter.testing.baselines import check_name, check_reference

    option = config.option
    is_kept = option.allocmeter_save is not None or option.allocmeter_compare is not None
    found = Options(
        _measures_all(option),
        _named(config, "--allocmeter-save", option.allocmeter_save, check_name),
        _named(config, "--allocmeter-compare", option.allocmeter_compare, check_reference),
        option.allocmeter_compare_fail,
        option.allocmeter_ratchet,
        option.allocmeter_rounds or 1,
        option.allocmeter_rounds or (_ROUNDS if is_kept else 1),
        option.allocmeter_top,
        option.allocmeter_sort,
    )
    if found.limits and found.compare is None:
        raise pytest.UsageError(
            "--allocmeter-compare-fail has no baseline to compare with: add --allocmeter-compare "
            "or --allocmeter-compare=NAME"
        )
    return found


def _named(
    config: pytest.Config, option: str, value: str | None, check: Callable[[str], str]
) -> str | None:
    if value is None or value in ("", UNNAMED):
        return None if value is None else UNNAMED
    _refuse_path(config, option, value)
    try:
        return check(value)
    except ValueError as error:
        raise pytest.UsageError(f"{option}: {error}") from None


def _refuse_path(config: pytest.Config, option: str, value: str) -> None:
    """Refuse what was meant to be a test, and was taken as the name that the option may have."""
    invocation = config.invocation_params
    if (option, value) not in pairwise(map(str, invocation.args)):
        return
    if (invocation.dir / value.partition("::")[0]).exists():
        raise pytest.UsageError(
            f"{option} {value}: is {value} the name of a baseline, or the tests to run? Write "
            f"{option}={value} for a name; for tests, put them first or write {option}="
        )


def _at_least(lowest: int) -> Callable[[str], Any]:
    def convert(text: str) -> int:
        from allocmeter.cli._arguments import whole_number

        return whole_number(lowest)(text)

    return convert


def _limits(text: str) -> tuple[Limit, ...]:
    from allocmeter.limits import parse_limits

    try:
        return parse_limits(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
