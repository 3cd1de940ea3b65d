"""How the figures of the same tests vary between the baselines of several runs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Varying:
    """The figures of one test in all runs.

    Attributes:
        test: its node id.
        allocations: blocks.
        bytes: their bytes.
    """

    test: str
    allocations: list[int]
    bytes: list[int]

    @property
    def is_varying(self) -> bool:
        """Whether the number of allocations is not the same each time."""
        return len(set(self.allocations)) > 1

    def __str__(self) -> str:
        counts = ", ".join(
            f"{count:,} (x{times})" for count, times in sorted(Counter(self.allocations).items())
        )
        return f"{self.test}: {counts} allocations; bytes vary by {spread(self.bytes):.3%}"


def spread(figures: Sequence[int]) -> float:
    """Return by how much the largest is above the smallest, as a share of it."""
    return (max(figures) - min(figures)) / max(min(figures), 1)


def variation(root: Path) -> list[Varying]:
    """Return the figures of each test, from all baselines below a directory."""
    tests: dict[str, Varying] = {}
    for path in sorted(root.glob(".allocmeter/*/*.json")):
        for test, figures in json.loads(path.read_text(encoding="utf-8"))["tests"].items():
            found = tests.setdefault(test, Varying(test, [], []))
            found.allocations.append(figures["allocations"])
            found.bytes.append(figures["bytes_allocated"])
    return list(tests.values())
