"""Running the call of one test measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter.testing.figures import FIGURES
from allocmeter.testing.wrapping import Measurement, replaced

if TYPE_CHECKING:
    from collections.abc import Generator

    import pytest


def run_measured(item: pytest.Function) -> Generator[None, object, object]:
    """Measure the call of an item, and leave its figures in the item's stash."""
    measurement = Measurement()
    if FIGURES in item.stash:  # of an earlier run of the same item
        del item.stash[FIGURES]
    try:
        with replaced(item, measurement):
            return (yield)
    finally:
        if measurement.figures is not None:
            item.stash[FIGURES] = measurement.figures
