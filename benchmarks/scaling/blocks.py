"""Cost of an allocation beside many live blocks."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import TYPE_CHECKING

from benchmarks.scaling import seconds_each

if TYPE_CHECKING:
    from benchmarks.workloads import Scope

OPERATIONS = 100_000


def live_blocks(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """Keep ever more objects of the scope alive.

    *fresh* makes an object and frees it at once: the allocator hands out the same block again.
    *replaced* puts a new object in the place of a random one of those that are kept, so that each
    free touches memory that was not touched lately: the object itself, and what is known of it.
    """
    found = {}
    points = [10**power for power in range(3, 7 if quick else 8)]
    kept: list[object] = [None] * points[-1]
    order = random.Random(0)
    places = {count: order.choices(range(count), k=OPERATIONS) for count in points}

    def fill(first: int, last: int) -> None:
        for n in range(first, last):
            kept[n] = object()

    def fresh() -> None:
        for _ in range(OPERATIONS):
            object()

    def replace(where: list[int]) -> None:
        for n in where:
            kept[n] = object()

    filled = 0
    with nullcontext() if scope is None else scope("all"):
        for count in points:
            fill(filled, count)
            filled = count
            where = places[count]
            found[f"fresh {count}"] = seconds_each(fresh, OPERATIONS)
            found[f"replaced {count}"] = seconds_each(lambda: replace(where), OPERATIONS)  # noqa: B023
    return found
