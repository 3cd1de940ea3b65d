"""Cost of an allocation beside many open scopes."""

from __future__ import annotations

import random
from contextvars import copy_context
from typing import TYPE_CHECKING

from benchmarks.scaling import seconds_each

if TYPE_CHECKING:
    from contextvars import Context

    from benchmarks.workloads import Scope

STEPS, EACH = 20_000, 10


def step() -> None:
    """Do what a task does between two awaits: ten small blocks, freed together."""
    kept = [object(), object(), object(), object(), object(), object(), object(), object()]
    kept.append(object())


def open_scopes(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """Open ever more scopes, each in a context of its own, as tasks have.

    *one works* allocates in the scope that was opened last, and all others wait. *in turn* takes
    one step in one scope, and the next in another one, in random order: what switching costs is in
    it, with scopes and without.
    """
    found = {}
    scopes: list[object] = []
    contexts: list[Context] = []

    def open_another() -> None:
        context = copy_context()
        if scope is not None:
            opened = scope("task")
            context.run(opened.__enter__)
            scopes.append(opened)
        contexts.append(context)

    def one_works() -> None:
        for _ in range(STEPS):
            step()

    def in_turn(order: list[Context]) -> None:
        for context in order:
            context.run(step)

    for count in [10**power for power in range(5 if quick else 6)]:
        while len(contexts) < count:
            open_another()
        order = random.Random(0).choices(contexts, k=STEPS)
        last = contexts[-1]
        found[f"one works {count}"] = seconds_each(lambda: last.run(one_works), STEPS * EACH)  # noqa: B023
        found[f"in turn {count}"] = seconds_each(lambda: in_turn(order), STEPS * EACH)  # noqa: B023
    return found
