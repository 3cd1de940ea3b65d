"""What is measured: each module holds programs of one kind.

A workload is a function that is told whether it is measured and returns the work, a function of no
arguments that is called several times. Measured work opens one scope for each unit of it; work that
is not contains no trace of a scope, so that the two differ by all that measuring costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter import measure

    Scope: TypeAlias = type[measure]
    Work: TypeAlias = Callable[[], object]


def in_one_scope(scope: Scope | None, work: Work) -> Work:
    """Return the work as it is, or each call of it in a scope."""
    if scope is None:
        return work

    def measured() -> object:
        with scope("work"):
            return work()

    return measured
