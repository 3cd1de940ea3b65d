"""Reading figures out of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core import preload, types
from allocmeter.errors import BackendUnavailableError

if TYPE_CHECKING:
    from allocmeter._core.structures import Aggregate, CoreFigures, Figures
    from allocmeter._core.types import NativeScope

# `structures` needs ctypes, so it is imported where the library is known to be loaded.

NOW, FINAL = 0, 1
_GAP = (
    "the allocator hooks were removed, by uninstall() or by another tool such as "
    "tracemalloc.stop(), while they were needed (or the system had no address space left to note "
    "a block). Start such tools before the first scope, or leave them running"
)
_BROKEN = (
    "an internal check of allocmeter has failed ({}), so counting is switched off in this process. "
    "The program goes on as before; figures that were final by then stay readable. Please report "
    "this, with the output of `allocmeter doctor --json`"
)
_READ, _NOT_OPENED, _INCOMPLETE = 0, 1, 2
_ROOT, _OWN, _COLLECTOR = 1, 2, 3  # as in _native/node.h


def why_broken() -> str:
    """Return why the core has switched counting off, as a sentence; empty while it has not."""
    reason: bytes | None = types.native().am_broken()
    return "" if reason is None else _BROKEN.format(reason.decode())


def _gap() -> str:
    return why_broken() or _GAP


def read_scope(scope: NativeScope, moment: int = NOW, *, exclusive: bool = False) -> Figures:
    """Return the figures of a scope: as of now, or final if `moment` asks for it and it is closed.

    Raises:
        RuntimeError: the scope has not been entered yet.
        BackendUnavailableError: its figures cannot be known; the text says why.
    """
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import Figures

    figures = Figures()
    status = native.am_scope_read(scope, moment, exclusive, byref(figures))
    if status == _READ:
        return figures
    name = f"measure({scope.name!r})" if scope.name is not None else "measure()"
    if status == _NOT_OPENED:
        raise RuntimeError(
            f"{name} has not been entered, so it has no figures yet; enter it with "
            "`with` or `async with` first"
        )
    if status == _INCOMPLETE:
        raise BackendUnavailableError(f"the figures of {name} are incomplete: {_gap()}")
    if reason := why_broken():
        raise BackendUnavailableError(f"{name} was not measured: {reason}")
    raise BackendUnavailableError(
        f"{name} was not measured: too many scopes were open or still held memory when it was "
        "entered, or it was nested more than 1,000 deep; the scope around it has its figures"
    )


def read_scope_native(scope: NativeScope) -> Figures | None:
    """Return the native domain's part of a scope's figures, final if it is closed.

    Its peaks are not known. `None` where the native domain is not seen.

    Raises:
        RuntimeError: the scope has not been entered yet.
        BackendUnavailableError: its figures cannot be known; the text says why.
    """
    figures = read_scope(scope, FINAL)
    if not preload.is_seen():
        return None
    from ctypes import byref

    types.native().am_scope_read_native(scope, FINAL, byref(figures))
    return figures


def read_sizes(scope: NativeScope) -> tuple[tuple[int, int], ...] | None:
    """Return blocks and bytes by number of binary digits of the size; `None`: not counted."""
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import SizeClasses

    found = SizeClasses()
    if native.am_scope_read_sizes(scope, byref(found)):
        return None
    return tuple((one.blocks, one.bytes) for one in found)


def is_tracking() -> bool:
    """Whether code outside every scope is recorded."""
    return bool(types.native().am_is_tracking())


def read_process() -> Figures:
    """Return what the process allocated, cumulative while it was tracked or inside scopes."""
    return _read_node(_ROOT)


def read_process_native() -> Figures | None:
    """Return the native domain's part of that, without peaks; `None` where it is not seen."""
    figures = read_process()
    if not preload.is_seen():
        return None
    from ctypes import byref

    types.native().am_node_read_native(_ROOT, byref(figures))
    return figures


def read_own() -> Figures:
    """Return what the library allocated for itself."""
    return _read_node(_OWN)


def read_collector() -> Figures:
    """Return what finalizers allocated that the garbage collector ran."""
    return _read_node(_COLLECTOR)


def _read_node(node: int) -> Figures:
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import Figures

    figures = Figures()
    if native.am_node_read(node, byref(figures)) == _INCOMPLETE:
        raise BackendUnavailableError(
            "the figures of the process are incomplete: "
            + (why_broken() or f"{_GAP}. To go on from here, call start_tracking() again")
        )
    return figures


def read_core() -> CoreFigures:
    """Return what the core says about itself."""
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import CoreFigures

    figures = CoreFigures()
    native.am_core_read(byref(figures))
    return figures


def refresh_retained() -> None:
    """Bring what names retain up to date for the `read_aggregate` calls that follow."""
    types.native().am_refresh()


def read_aggregate(aggregate: Any) -> Aggregate:
    """Return what the finished scopes of one name add up to."""
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import Aggregate

    figures = Aggregate()
    native.am_aggregate_read(aggregate, byref(figures))
    return figures


def read_buckets(aggregate: Any, quantity: int) -> tuple[tuple[int, int, int], ...]:
    """Return the histogram of a quantity as `(lower, upper, count)`, empty steps left out."""
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import Bucket

    room = native.am_aggregate_buckets(aggregate, quantity, None, 0)
    found = (Bucket * room)()
    native.am_aggregate_buckets(aggregate, quantity, byref(found), room)
    return tuple((bucket.lower, bucket.upper, bucket.count) for bucket in found)


def read_retention(aggregate: Any) -> tuple[tuple[int, int, int], ...]:
    """Return samples `(scopes finished, bytes, blocks retained by them then)`, oldest first."""
    native = types.native()
    from ctypes import byref

    from allocmeter._core.structures import RetentionSample

    room = native.am_aggregate_retention(aggregate, None, 0)
    found = (RetentionSample * room)()
    native.am_aggregate_retention(aggregate, byref(found), room)
    return tuple((sample.scopes, sample.bytes, sample.blocks) for sample in found)


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
        native = types.native()
        from allocmeter._core.structures import MarkFigures

        out = MarkFigures()
        if native.am_mark_read(self._mark, out) == _INCOMPLETE:
            raise BackendUnavailableError(f"this high-water mark is incomplete: {_gap()}")
        figure: int = out[which]
        return figure

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
