"""What the body of a test allocated, as a value, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from allocmeter.size_classes import size_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allocmeter.scopes import measure
    from allocmeter.size_classes import SizeClass
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
        each: of those figures of `METRICS` that were not the smallest in every round but the first,
            what they were in these rounds, one after the other.
        scopes: what the named scopes inside allocated, in the last round, the most bytes first.
        sizes: all its blocks by size, in the last round, the most bytes first; `None`: they were
            not asked for, or could not be counted. Not compared: who asks makes no difference.
    """

    # It begins with "Test", and is none.
    __test__: ClassVar[bool] = False

    allocations: int
    bytes_allocated: int
    peak_bytes: int
    retained_allocations: int
    retained_bytes: int
    rounds: int = 1
    each: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    scopes: tuple[ScopeFigures, ...] = ()
    sizes: tuple[SizeClass, ...] | None = field(default=None, compare=False)


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
        sizes=size_classes(scope),
    )


def smallest(rounds: Sequence[TestFigures]) -> TestFigures:
    """Return each figure as the smallest of these, of at least one round, and how it varied."""
    found = {name: [getattr(figures, name) for figures in rounds] for name in METRICS}
    least = {name: min(figures) for name, figures in found.items()}
    each = {
        name: tuple(figures[1:])
        for name, figures in found.items()
        if any(figure != least[name] for figure in figures[1:])
    }
    return replace(rounds[-1], **least, rounds=len(rounds), each=each)


def with_smaller(figures: TestFigures, others: TestFigures) -> TestFigures:
    """Return these figures, and of others those that are smaller."""
    least = {name: min(getattr(figures, name), getattr(others, name)) for name in METRICS}
    return replace(figures, **least)


def largest(examples: Sequence[TestFigures]) -> TestFigures:
    """Return each figure as the largest of these, of at least one example."""
    most = {name: max(getattr(figures, name) for figures in examples) for name in METRICS}
    found = max(examples, key=lambda figures: figures.bytes_allocated)
    return replace(found, **most, each=found.each if len(examples) == 1 else {})
