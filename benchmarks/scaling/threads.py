"""Cost of an allocation in several threads at once."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from benchmarks.scaling import seconds_each

if TYPE_CHECKING:
    from benchmarks.workloads import Scope

BLOCKS, ROUNDS = 1_000, 400


def threads(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """Share the same work among ever more threads, each with a scope of its own.

    The figure is the time of all CPUs together. In one interpreter lock, threads take turns.
    """

    def work(rounds: int) -> None:
        with nullcontext() if scope is None else scope("thread"):
            for _ in range(rounds):
                [object() for _ in range(BLOCKS)]

    def share(count: int) -> None:
        running = [threading.Thread(target=work, args=(ROUNDS // count,)) for _ in range(count)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    return {
        f"threads {count}": seconds_each(lambda: share(count), BLOCKS * ROUNDS)  # noqa: B023
        for count in ((1, 4) if quick else (1, 2, 4, 8))
    }
