"""Resident memory beside a heap of small objects."""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workloads import Scope

STATM = Path("/proc/self/statm")


class Point:
    __slots__ = ("x", "y")


def resident() -> int:
    """Return the resident memory of this process, in bytes."""
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(scope: Scope | None, make: Callable[[int], object], *, quick: bool) -> dict[str, float]:
    """Return the bytes that the process grows by while the scope makes ever more objects.

    The list that holds them is there before, and is not in the figures.
    """
    found = {}
    points = [10**power for power in range(5, 7 if quick else 8)]
    gc.disable()  # collections find nothing here; they only take time
    kept: list[object] = [None] * points[-1]
    before, made = resident(), 0
    with nullcontext() if scope is None else scope("all"):
        for count in points:
            for n in range(made, count):
                kept[n] = make(n)
            made = count
            found[f"resident {count}"] = float(resident() - before)
    return found


def objects(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """16 bytes each, the smallest there are."""
    return grow(scope, lambda _: object(), quick=quick)


def points(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """48 bytes each, of a class with two slots."""
    return grow(scope, lambda _: Point(), quick=quick)


def short_strings(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """50 to 57 bytes each."""
    return grow(scope, str, quick=quick)
