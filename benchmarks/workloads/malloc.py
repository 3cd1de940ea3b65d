"""What a process pays that has the preload library in it, and is measured or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.workloads import in_one_scope

if TYPE_CHECKING:
    from benchmarks.workloads import Scope, Work


def computing(scope: Scope | None) -> Work:
    """Allocate next to nothing."""

    def work() -> int:
        total = 1
        for n in range(800_000):
            total = (total * 3 + n) % 1_000_003
        return total

    return in_one_scope(scope, work)


def mallocs(scope: Scope | None) -> Work:
    """Ask malloc for a block a turn: they are larger than what the interpreter's own serves."""

    def work() -> None:
        kept: list[bytes | None] = [None] * 64
        for n in range(250_000):
            kept[n & 63] = bytes(1_000 + (n & 1_023))

    return in_one_scope(scope, work)
