"""What is done once, when the tests are known and none has run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
    # A worker of xdist cannot tell a usage error: there the tests themselves fail with that text.
    if measured and not hasattr(measured[0].config, "workerinput"):
        check(measured)
    for item in items:
        if isinstance(item, pytest.Function):
            handle = hypothesis_handle(item)
            if handle is not None:
                item.stash[INNER_TEST] = handle.inner_test
