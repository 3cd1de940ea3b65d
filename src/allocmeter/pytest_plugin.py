"""The pytest plugin: allocation budgets, leak checks and baselines, for async tests first.

pytest imports this in every run of everybody who has the package installed. So it holds hooks and
nothing else; what they need is in `allocmeter.testing`, imported when a marker, an option or the
fixture asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

MARKERS = ("limit_allocations", "no_leaks")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
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


def is_measured(item: pytest.Item) -> bool:
    """Tell whether an option or a marker asks for the figures of a test."""
    return isinstance(item, pytest.Function) and (
        bool(item.config.getoption("allocmeter", default=False))
        or any(mark.name in MARKERS for mark in item.iter_markers())
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the body of a test if something asks for it."""
    if not is_measured(item):
        return (yield)
    from allocmeter.testing.running import run_measured

    assert isinstance(item, pytest.Function)
    return (yield from run_measured(item))
