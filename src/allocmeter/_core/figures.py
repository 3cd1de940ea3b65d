"""Reading figures out of the core. The structures mirror `_native/allocmeter.h`."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int64, c_uint64
from typing import TYPE_CHECKING, Any

from allocmeter._core import types
from allocmeter.errors import BackendUnavailableError

if TYPE_CHECKING:
    from allocmeter._core.types import NativeScope

NOW, FINAL = 0, 1
_READ, _NOT_OPENED, _INCOMPLETE = 0, 1, 2
_ROOT, _OWN, _COLLECTOR = 1, 2, 3  # as in _native/node.h


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

    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            "nodes_in_use",
            "nodes_made",
            "open_scopes",
            "unmeasured_scopes",
            "ledger_reserved_bytes",
            "node_table_bytes",
            "histogram_bytes",
            "gaps",
        )
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


def read_scope(scope: NativeScope, moment: int = NOW, *, exclusive: bool = False) -> Figures:
    """Return the figures of a scope: as of now, or final if `moment` asks for it and it is closed.

    Raises:
        RuntimeError: the scope has not been entered yet.
        BackendUnavailableError: its figures cannot be known; the text says why.
    """
    figures = Figures()
    status = types.native().am_scope_read(scope, moment, exclusive, byref(figures))
    if status == _READ:
        return figures
    name = f"measure({scope.name!r})" if scope.name is not None else "measure()"
    if status == _NOT_OPENED:
        raise RuntimeError(
            f"{name} has not been entered, so it has no figures yet; enter it with "
            "`with` or `async with` first"
        )
    if status == _INCOMPLETE:
        raise BackendUnavailableError(
            f"the figures of {name} are incomplete: the allocator hooks were removed, by "
            "uninstall() or by another tool such as tracemalloc.stop(), while they were needed. "
            "Start such tools before the first scope, or leave them running"
        )
    raise BackendUnavailableError(
        f"{name} was not measured: too many scopes were open or still held memory when it was "
        "entered; backend_info() tells how many"
    )


def read_process() -> Figures:
    """Return what the process allocated, cumulative while it was tracked or inside scopes."""
    return _read_node(_ROOT)


def read_own() -> Figures:
    """Return what the library allocated for itself."""
    return _read_node(_OWN)


def read_collector() -> Figures:
    """Return what finalizers allocated that the garbage collector ran."""
    return _read_node(_COLLECTOR)


def _read_node(node: int) -> Figures:
    figures = Figures()
    types.native().am_node_read(node, byref(figures))
    return figures


def read_core() -> CoreFigures:
    """Return what the core says about itself."""
    figures = CoreFigures()
    types.native().am_core_read(byref(figures))
    return figures


def current_scope() -> NativeScope | None:
    """Return the scope that this code runs in, `None` outside every scope."""
    scope: NativeScope | None = types.native().am_current_scope()
    return scope


class HighWaterMark:
    """The exact high-water mark of a scope's live memory from now on (of the process: `None`).

    Absolute values: what was alive before counts. Safe from any task and thread.
    """

    __slots__ = ("_mark",)

    def __init__(self, scope: NativeScope | None) -> None:
        self._mark: Any = types.native().am_mark_new(scope)

    def _read(self, which: int) -> int:
        out = (c_int64 * 4)()
        types.native().am_mark_read(self._mark, out)
        return out[which]

    @property
    def live_bytes(self) -> int:
        """Bytes alive now."""
        return self._read(0)

    @property
    def live_allocations(self) -> int:
        """Blocks alive now."""
        return self._read(1)

    @property
    def peak_bytes(self) -> int:
        """The most bytes that were alive at once."""
        return self._read(2)

    @property
    def peak_allocations(self) -> int:
        """The most blocks that were alive at once."""
        return self._read(3)

    def reset(self) -> None:
        """Start again at what is alive now."""
        types.native().am_mark_reset(self._mark)
