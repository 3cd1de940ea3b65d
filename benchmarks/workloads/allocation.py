"""Code that does little but allocate: the worst that can be asked of an allocator hook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.workloads import in_one_scope

if TYPE_CHECKING:
    from benchmarks.workloads import Scope, Work


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


def slotted_objects(scope: Scope | None) -> Work:
    return in_one_scope(scope, lambda: [Point(n, -n) for n in range(100_000)])


def json_round_trip(scope: Scope | None) -> Work:
    document = [
        {"id": n, "name": f"item {n}", "tags": ["a", "b"], "price": n / 7} for n in range(6_000)
    ]
    return in_one_scope(scope, lambda: json.loads(json.dumps(document)))


def strings(scope: Scope | None) -> Work:
    def work() -> list[str]:
        return " ".join(f"{n}:{n * n}".upper() for n in range(100_000)).split()

    return in_one_scope(scope, work)


def integers(scope: Scope | None) -> Work:
    def work() -> int:
        total = 1 << 70
        for n in range(250_000):
            total = (total * 3 + n) % 1_000_000_007_000_000_000_123
        return total

    return in_one_scope(scope, work)


def dicts_and_lists(scope: Scope | None) -> Work:
    def work() -> dict[int, list[tuple[int, int]]]:
        table: dict[int, list[tuple[int, int]]] = {}
        for n in range(120_000):
            table.setdefault(n % 5_000, []).append((n, n + 1))
        return table

    return in_one_scope(scope, work)
