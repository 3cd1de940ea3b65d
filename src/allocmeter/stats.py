"""What an operation allocated and freed, as an immutable value."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allocmeter.checks import check_int
from allocmeter.errors import BackendUnavailableError, ReportFormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from allocmeter._core.structures import Figures


@dataclass(frozen=True, slots=True)
class AllocationStats:
    """Counts of blocks and bytes over some stretch of work.

    The value is immutable and hashable, so it may be shared between tasks and threads. A
    difference of two snapshots may be negative: nothing is clamped.

    Attributes:
        allocations: blocks allocated, a reallocated block included.
        deallocations: blocks freed, whoever freed them; the old side of a reallocation included.
        reallocations: blocks reallocated; each is already counted in the two above.
        bytes_allocated: bytes requested by those allocations.
        bytes_deallocated: bytes that those deallocations gave back.

    Raises:
        TypeError: a figure is not an `int` (a `bool` is not one here).
    """

    allocations: int = 0
    deallocations: int = 0
    reallocations: int = 0
    bytes_allocated: int = 0
    bytes_deallocated: int = 0

    def __post_init__(self) -> None:
        for field in _FIELDS:
            check_int(field, getattr(self, field))

    def __str__(self) -> str:
        from allocmeter.units import human_bytes, human_count

        return (
            f"{human_count(self.allocations)} blocks, {human_bytes(self.bytes_allocated)} "
            f"allocated; {human_count(self.deallocations)} blocks, "
            f"{human_bytes(self.bytes_deallocated)} freed; "
            f"{human_count(self.reallocations)} reallocated"
        )

    @property
    def net_allocations(self) -> int:
        """Blocks allocated and not freed since (`allocations - deallocations`)."""
        return self.allocations - self.deallocations

    @property
    def net_bytes(self) -> int:
        """Bytes allocated and not freed since (`bytes_allocated - bytes_deallocated`)."""
        return self.bytes_allocated - self.bytes_deallocated

    def __add__(self, other: AllocationStats) -> AllocationStats:
        if not isinstance(other, AllocationStats):
            return NotImplemented
        return AllocationStats(
            self.allocations + other.allocations,
            self.deallocations + other.deallocations,
            self.reallocations + other.reallocations,
            self.bytes_allocated + other.bytes_allocated,
            self.bytes_deallocated + other.bytes_deallocated,
        )

    def __sub__(self, other: AllocationStats) -> AllocationStats:
        if not isinstance(other, AllocationStats):
            return NotImplemented
        return AllocationStats(
            self.allocations - other.allocations,
            self.deallocations - other.deallocations,
            self.reallocations - other.reallocations,
            self.bytes_allocated - other.bytes_allocated,
            self.bytes_deallocated - other.bytes_deallocated,
        )

    @classmethod
    def capture(cls) -> AllocationStats:
        """Take a snapshot of everything the process allocated while tracking was on.

        The counters only grow, so the difference of two snapshots is what happened between
        them, in every task and thread. Safe to call from any of them.

        Returns:
            The cumulative figures of the process.

        Raises:
            BackendUnavailableError: tracking is off, or the native library cannot be used.
        """
        own, is_tracking, read_process = _core()
        with own:
            figures = read_process()
            if not is_tracking():
                raise BackendUnavailableError(
                    "process-wide tracking is off, so what the process allocates is unknown; "
                    "call start_tracking() first, or use measure() for a single operation"
                )
            return cls.from_figures(figures)

    @staticmethod
    def delta(start: AllocationStats, end: AllocationStats) -> AllocationStats:
        """Return what happened between two snapshots, field by field and without clamping.

        Args:
            start: the earlier snapshot.
            end: the later snapshot.
        """
        return end - start

    @classmethod
    def from_figures(cls, figures: Figures) -> AllocationStats:
        """Return the counters of a reading of the native core, without its peaks."""
        return cls(
            figures.allocations,
            figures.deallocations,
            figures.reallocations,
            figures.bytes_allocated,
            figures.bytes_deallocated,
        )

    def to_dict(self) -> dict[str, int]:
        """Return the five counters by name, ready for JSON."""
        return {field: getattr(self, field) for field in _FIELDS}

    @classmethod
    def from_dict(cls, data: Mapping[str, int]) -> AllocationStats:
        """Rebuild a value from what `to_dict` gave.

        Args:
            data: exactly the five counters by name.

        Raises:
            ReportFormatError: a counter is missing, unknown or not an `int`.
        """
        if not isinstance(data, Mapping):
            raise ReportFormatError(
                f"allocation figures must be an object with {_NAMES}; got {type(data).__name__}"
            )
        missing = [field for field in _FIELDS if field not in data]
        unknown = [str(key) for key in data if key not in _FIELDS]
        if missing or unknown:
            raise ReportFormatError(
                f"allocation figures must have exactly {_NAMES}; "
                f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
            )
        try:
            return cls(**data)
        except TypeError as error:
            raise ReportFormatError(f"damaged allocation figures: {error}") from error


@functools.cache
def _core() -> tuple[AbstractContextManager[Any], Callable[[], bool], Callable[[], Figures]]:
    # Remembered, because an import statement allocates a little in the current scope each time.
    from allocmeter._core.figures import is_tracking, read_process
    from allocmeter._core.own import OWN

    return OWN, is_tracking, read_process


_FIELDS = (
    "allocations",
    "deallocations",
    "reallocations",
    "bytes_allocated",
    "bytes_deallocated",
)
_NAMES = ", ".join(_FIELDS)
