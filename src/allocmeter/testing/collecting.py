"""What is done once, when the tests are known and none has run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allocmeter.pytest_plugin import MALFORMED
from allocmeter.testing.markers import check
from allocmeter.testing.wrapping import INNER_TEST, hypothesis_handle

if TYPE_CHECKING:
    from collections.abc import Iterable


def prepare(items: Iterable[pytest.Item], measured: Iterable[pytest.Item]) -> None:
    """Read the markers, and note the functions that plugins may replace for good.

    Raises:
        pytest.UsageError: markers are malformed; the text names their tests.
    """
    measured = list(measured)
    try:
        check(measured)
    except pytest.UsageError as error:
        config = measured[0].config
        if not hasattr(config, "workerinput"):
            raise
        _tell_controller(config, str(error))
    for item in items:
        if isinstance(item, pytest.Function):
            handle = hypothesis_handle(item)
            if handle is not None:
                item.stash[INNER_TEST] = handle.inner_test


def _tell_controller(config: pytest.Config, problem: str) -> None:
    """Have the controller of xdist raise the usage error, which a worker cannot.

    What reaches it of a worker's collecting are reports. Should it not stop for this one, because
    it is another version of ours, the tests themselves fail.
    """
    report = pytest.CollectReport("", "failed", problem, None)
    setattr(report, MALFORMED, problem)
    config.hook.pytest_collectreport(report=report)
