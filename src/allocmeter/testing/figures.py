"""What the body of a test allocated, as a value, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocmeter.scopes import measure
    from allocmeter.testing.scope_rows import ScopeFigures


@dataclass(frozen=True, slots=True)
class TestFigures:
    """What one call of a test function allocated, without its fixtures.

    Of several rounds each figure is the smallest: what a cache fills up with on the first call is
    no work of the test. Of several examples of Hypothesis it is the largest: a limit is one for
    each example.

    Attributes:
        allocations: blocks allocated.
        bytes_allocated: their bytes.
        peak_bytes: the high-water mark of live bytes.
        retained_allocations: blocks that were still alive when the function had returned.
        retained_bytes: their bytes.
        rounds: how many calls these are the smallest figures of.
        scopes: what the named scopes inside allocated, in the last round, the most bytes first.
    """

    # It begins with "Test", and is none.
    __test__: ClassVar[bool] = False

    allocations: int
    bytes_allocated: int
    peak_bytes: int
    retained_allocations: int
    retained_bytes: int
    rounds: int = 1
    scopes: tuple[ScopeFigures, ...] = ()


# Where an item keeps its figures from the end of its call on; of a test that failed too.
FIGURES = pytest.StashKey[TestFigures]()

METRICS = (
    "allocations",
    "bytes_allocated",
    "peak_bytes",
    "retained_allocations",
    "retained_bytes",
)


def figures_of(scope: measure) -> TestFigures:
    """Return the figures of a closed scope.

    Raises:
        BackendUnavailableError: they cannot be known; the text says why.
    """
    stats = scope.stats
    return TestFigures(
        stats.allocations,
        stats.bytes_allocated,
        scope.peak_bytes,
        scope.retained_allocations,
        scope.retained_bytes,
    )


def smallest(rounds: Sequence[TestFigures]) -> TestFigures:
    """Return each figure as the smallest of these, of at least one round."""
    least = {name: min(getattr(figures, name) for figures in rounds) for name in METRICS}
    return replace(rounds[-1], **least, rounds=len(rounds))


def largest(examples: Sequence[TestFigures]) -> TestFigures:
    """Return each figure as the largest of these, of at least one example."""
    most = {name: max(getattr(figures, name) for figures in examples) for name in METRICS}
    return replace(max(examples, key=lambda figures: figures.bytes_allocated), **most)
