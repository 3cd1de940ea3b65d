"""The structures that the core fills in. They mirror `_native/allocmeter.h`, field by field."""

from __future__ import annotations

import ctypes
from ctypes import (
    byref,  # noqa: F401 - for those who read with these
    c_int64,
    c_uint64,
)
from typing import TYPE_CHECKING


class Figures(ctypes.Structure):
    """What a scope allocated and freed: counts of blocks and bytes, and high-water marks."""

    _fields_ = (
        ("allocations", c_int64),
        ("deallocations", c_int64),
        ("reallocations", c_int64),
        ("bytes_allocated", c_int64),
        ("bytes_deallocated", c_int64),
        ("peak_bytes", c_int64),
        ("peak_allocations", c_int64),
    )

    if TYPE_CHECKING:
        allocations: int
        deallocations: int
        reallocations: int
        bytes_allocated: int
        bytes_deallocated: int
        peak_bytes: int
        peak_allocations: int


class CoreFigures(ctypes.Structure):
    """What the core says about itself."""

    _fields_ = (
        ("nodes_in_use", c_uint64),
        ("nodes_made", c_uint64),
        ("open_scopes", c_uint64),
        ("unmeasured_scopes", c_uint64),
        ("ledger_reserved_bytes", c_uint64),
        ("node_table_bytes", c_uint64),
        ("histogram_bytes", c_uint64),
        ("gaps", c_uint64),
        ("ledger_entries", c_uint64),
        ("ledger_resident_bytes", c_int64),
        ("hook_losses", c_uint64),
        ("assertion_failures", c_uint64),
    )

    if TYPE_CHECKING:
        nodes_in_use: int
        nodes_made: int
        open_scopes: int
        unmeasured_scopes: int
        ledger_reserved_bytes: int
        node_table_bytes: int
        histogram_bytes: int
        gaps: int
        ledger_entries: int
        ledger_resident_bytes: int
        hook_losses: int
        assertion_failures: int


class Distribution(ctypes.Structure):
    """How one quantity was spread."""

    _fields_ = tuple(
        (name, c_uint64) for name in ("count", "sum", "min", "max", "p50", "p95", "p99")
    )


class Retained(ctypes.Structure):
    """What finished scopes have alive, in bytes and blocks."""

    _fields_ = (("bytes", c_int64), ("blocks", c_int64))


class Aggregate(ctypes.Structure):
    """All the finished scopes of one name."""

    _fields_ = (
        ("count", c_uint64),
        ("errors", c_uint64),
        ("cancelled", c_uint64),
        ("retained_bytes", c_int64),
        ("retained_allocations", c_int64),
        ("late_bytes_allocated", c_int64),
        ("native_bytes_allocated", c_int64),
        ("native_allocations", c_int64),
        ("retained_by_age", Retained * 4),
        ("bytes_allocated", Distribution),
        ("allocations", Distribution),
        ("peak_bytes", Distribution),
        ("retained", Distribution),
    )


class Bucket(ctypes.Structure):
    """A step of a histogram."""

    _fields_ = (("lower", c_uint64), ("upper", c_uint64), ("count", c_uint64))


class RetentionSample(ctypes.Structure):
    """What the finished scopes of a name retained when they were so many."""

    _fields_ = (("scopes", c_uint64), ("bytes", c_int64), ("blocks", c_int64))


class SizeClass(ctypes.Structure):
    """What was allocated of one size class."""

    _fields_ = (("blocks", c_int64), ("bytes", c_int64))


SizeClasses = SizeClass * 64
# Live bytes, live blocks, peak bytes, peak blocks.
MarkFigures = c_int64 * 4
