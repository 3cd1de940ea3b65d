"""Size classes: how the blocks that a scope asked for are spread over sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allocmeter._core.figures import read_sizes
from allocmeter._core.types import native

if TYPE_CHECKING:
    from allocmeter._core.types import NativeScope


class SizeClass(NamedTuple):
    """The blocks of one class: their sizes have the same number of binary digits.

    Attributes:
        smallest: size that belongs to it, in bytes as requested.
        largest: the same.
        allocations: blocks.
        bytes_allocated: their sizes added up.
    """

    smallest: int
    largest: int
    allocations: int
    bytes_allocated: int


def count_size_classes(scope: NativeScope) -> None:
    """Have the blocks of a scope counted by size, and of what is nested in it.

    Ask before the scope is entered. Until it is closed, allocations anywhere in the process take
    about half as much time again in their hooks. One scope at a time is counted so: if another one
    is when this one is entered, this one is not.

    Raises:
        RuntimeError: it was entered already.
    """
    native().am_scope_count_sizes(scope)


def size_classes(scope: NativeScope) -> tuple[SizeClass, ...] | None:
    """Return what was counted so far, the class with most bytes first, without empty classes.

    Once the scope is closed, the classes add up to its `stats`: a reallocated block counts once
    more. Safe from any task and thread.

    Returns:
        `None` if the scope was not counted, or another one has been since.
    """
    counted = read_sizes(scope)
    if counted is None:
        return None
    found = [
        SizeClass(1 << digits >> 1, (1 << digits) - 1, allocations, size)
        for digits, (allocations, size) in enumerate(counted)
        if allocations
    ]
    return tuple(sorted(found, key=lambda one: -one.bytes_allocated))
