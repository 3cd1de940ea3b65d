"""Work some scopes deep: what an allocation costs below many ancestors."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.workloads import Scope, Work


def nested(scope: Scope | None, depth: int) -> Work:
    """Forty rounds of small work at this depth; each round opens all of the scopes anew."""

    def work() -> list[str]:
        return [f"{n}:{n * n}" for n in range(3_000)]

    def rounds() -> None:
        for _ in range(40):
            with ExitStack() as stack:
                if scope is not None:
                    for level in range(depth):
                        stack.enter_context(scope(f"level {level}"))
                work()

    return rounds
