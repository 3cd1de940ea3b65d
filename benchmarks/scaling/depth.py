"""Cost of an allocation below many scopes."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from benchmarks.scaling import seconds_each

if TYPE_CHECKING:
    from benchmarks.workloads import Scope

BLOCKS, ROUNDS, STEPS, EACH = 2_000, 50, 10_000, 10


def nesting_depth(scope: Scope | None, *, quick: bool) -> dict[str, float]:
    """Open ever more scopes inside one another.

    *stays* fills a list in the innermost scope and frees it, again and again. *a scope each 10*
    opens one more scope, makes ten blocks in it and closes it, again and again: what each did has
    to be added to all that are around it.
    """
    found = {}

    def fill() -> None:
        for _ in range(ROUNDS):
            [object() for _ in range(BLOCKS)]

    def short_scopes() -> None:
        inner = nullcontext if scope is None else scope
        for _ in range(STEPS):
            with inner():
                [object() for _ in range(EACH)]

    with ExitStack() as stack:
        opened = 0
        for depth in [2**power for power in range(5 if quick else 8)]:
            while scope is not None and opened < depth:
                stack.enter_context(scope(f"level {opened}"))
                opened += 1
            found[f"stays {depth}"] = seconds_each(fill, ROUNDS * BLOCKS)
            found[f"a scope each 10 {depth}"] = seconds_each(short_scopes, STEPS * EACH)
    return found
