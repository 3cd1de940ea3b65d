"""How much a test, or a block of one, may allocate, and by how much it did more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from allocmeter.checks import check_count
from allocmeter.sizes import parse_size
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from allocmeter.testing.figures import TestFigures


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be allocated; `None`: as much as it likes.

    Attributes:
        allocations: blocks.
        bytes: bytes in all.
        peak: bytes at once.
    """

    allocations: int | None = None
    bytes: int | None = None
    peak: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self != Budget()

    def excesses(self, figures: TestFigures) -> tuple[Excess, ...]:
        """Return what these figures exceed, in the order of the fields."""
        compared = (
            ("allocations", figures.allocations, self.allocations),
            ("bytes", figures.bytes_allocated, self.bytes),
            ("peak", figures.peak_bytes, self.peak),
        )
        return tuple(
            Excess(metric, measured, limit)
            for metric, measured, limit in compared
            if limit is not None and measured > limit
        )


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that was exceeded.

    Attributes:
        metric: `"allocations"`, `"bytes"` or `"peak"`.
        measured: blocks, or bytes.
        limit: likewise.
    """

    metric: str
    measured: int
    limit: int

    def __str__(self) -> str:
        over = _amount(self.metric, self.measured - self.limit)
        return (
            f"{_NAMES[self.metric]}: {amount(self.metric, self.measured)}, and the limit is "
            f"{amount(self.metric, self.limit)} (+{over})"
        )


_NAMES: Final = {"allocations": "allocations", "bytes": "bytes", "peak": "peak bytes"}


def amount(metric: str, figure: int) -> str:
    """Return a figure as people read it, exact: `12`, `1,033 (1.0 KiB)`."""
    exact, rounded = human_count(figure), _amount(metric, figure)
    return exact if metric == "allocations" or figure < 1024 else f"{exact} ({rounded})"


def _amount(metric: str, figure: int) -> str:
    return human_count(figure) if metric == "allocations" else human_bytes(figure)


def budget(
    allocations: object = None,
    bytes: object = None,
    peak: object = None,
) -> Budget:
    """Return the budget that users describe.

    Args:
        allocations: the most blocks.
        bytes: the most bytes in all, as a number or as text such as `"64 KiB"`.
        peak: the most bytes at once, likewise.

    Raises:
        TypeError: nothing is limited, or a limit is of another type.
        ValueError: a limit is negative, or no size; the text says what one is.
    """
    if allocations is None and bytes is None and peak is None:
        raise TypeError("limits nothing: give allocations=, bytes= or peak=")
    return Budget(
        None if allocations is None else check_count("allocations", allocations),
        None if bytes is None else size("bytes", bytes),
        None if peak is None else size("peak", peak),
    )


def size(name: str, value: object) -> int:
    """Return a number of bytes that users give as a number or as text.

    Raises:
        TypeError: it is neither; the message calls it `name`.
        ValueError: it is negative, or no size.
    """
    if not isinstance(value, str):
        if not isinstance(value, int):
            raise TypeError(
                f"{name} must be a number of bytes or a size such as '64 KiB', not "
                f"{type(value).__name__} ({value!r})"
            )
        return check_count(name, value)
    try:
        return parse_size(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
