"""The pytest plugin: allocation budgets, leak checks and baselines, for async tests first.

pytest imports this in every run of everybody who has the package installed. So it holds hooks and
nothing else; what they need is in `allocmeter.testing`, imported when a marker, an option or the
fixture asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allocmeter.testing.options import add_options, is_asked_for

if TYPE_CHECKING:
    from collections.abc import Callable, Generator  # noqa: F401 - named in a string below

    from allocmeter.testing.fixture import Allocations

# Where an item keeps what says, at the end of its call, which soft budgets were exceeded.
SOFT_BUDGETS = pytest.StashKey["Callable[[], str]"]()

MARKERS = ("limit_allocations", "no_leaks")

# The attribute of a report in which a worker of xdist says which markers are malformed.
MALFORMED = "allocmeter_malformed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and begin what the options ask for."""
    config.addinivalue_line(
        "markers",
        "limit_allocations(allocations=None, bytes=None, peak=None, rounds=1): fail if the body of "
        "the test allocates more blocks, more bytes or more at a time than that; sizes as numbers "
        'of bytes or as "64 KiB"; of several rounds the smallest figures count',
    )
    config.addinivalue_line(
        "markers",
        "no_leaks(max_bytes=0, max_allocations=0, iterations=5, warmup=2): fail if live memory "
        "grows by more than that from one call of the test's body to the next",
    )
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(MarkersOfWorkers(), "allocmeter-markers")
    if is_asked_for(config):
        from allocmeter.testing.session import start

        start(config)


class MarkersOfWorkers:
    """Refuses in the controller of xdist what its workers have found malformed."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Raise what a worker would have raised, had it been the only process."""
        if problem := getattr(report, MALFORMED, ""):
            raise pytest.UsageError(problem)


def is_marked(item: pytest.Item) -> bool:
    """Tell whether a marker asks for something to be measured."""
    return any(mark.name in MARKERS for mark in item.iter_markers())


def is_measured(item: pytest.Item) -> bool:
    """Tell whether an option or a marker asks for the figures of a test."""
    return isinstance(item, pytest.Function) and (
        bool(item.config.getoption("allocmeter", default=False)) or is_marked(item)
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse markers that are malformed before any of the selected tests runs."""
    measured = [item for item in items if is_measured(item)]
    if measured:
        from allocmeter.testing.collecting import prepare

        prepare(items, measured)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the body of a test if something asks for it."""
    try:
        if is_measured(item):
            from allocmeter.testing.running import run_measured

            assert isinstance(item, pytest.Function)
            result = yield from run_measured(item)
        else:
            result = yield
    finally:
        # Asked here, so that what is wrong stands in the report of a test that failed, too.
        problems = item.stash[SOFT_BUDGETS]() if SOFT_BUDGETS in item.stash else ""
    if problems:
        pytest.fail(problems, pytrace=False)
    return result


@pytest.fixture
def allocations(request: pytest.FixtureRequest) -> Generator[Allocations, None, None]:
    """Budgets and figures of blocks inside a test: `with allocations.budget(bytes="64 KiB"):`."""
    from allocmeter.testing.fixture import Allocations

    found = Allocations(request.node)
    request.node.stash[SOFT_BUDGETS] = found.end
    yield found
    del request.node.stash[SOFT_BUDGETS]
