"""The figures of a test as `user_properties`: in JUnit XML, and across the processes of xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.findings import Findings

PREFIX: Final = "allocmeter."


def note_figures(item: pytest.Item, figures: TestFigures) -> None:
    """Put the figures of a test among its properties."""
    item.user_properties += [
        (PREFIX + "allocations", figures.allocations),
        (PREFIX + "bytes", figures.bytes_allocated),
        (PREFIX + "peak_bytes", figures.peak_bytes),
        (PREFIX + "retained_allocations", figures.retained_allocations),
        (PREFIX + "retained_bytes", figures.retained_bytes),
        (PREFIX + "rounds", figures.rounds),
    ]


def note_findings(item: pytest.Item, findings: Findings) -> None:
    """Put what is wrong with a test among its properties, each limit in one of its own."""
    for excess in findings.excesses:
        item.user_properties.append((f"{PREFIX}exceeded.{excess.metric}", excess.limit))
    if findings.excesses and findings.figures.sizes:
        sizes = (
            f"{one.smallest}-{one.largest}: {one.allocations} blocks, {one.bytes_allocated} bytes"
            for one in findings.figures.sizes
        )
        item.user_properties.append((PREFIX + "sizes", "; ".join(sizes)))
    if findings.leak:
        item.user_properties.append((PREFIX + "leak", findings.leak))


def forget(item: pytest.Item) -> None:
    """Take away what an earlier run of the same test has left."""
    item.user_properties[:] = [
        (name, value) for name, value in item.user_properties if not name.startswith(PREFIX)
    ]
