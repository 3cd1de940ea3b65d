"""What a detector or tracker looks at: the current scope, or outside every scope the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.figures import NOW, current_scope, read_process, read_scope
from allocmeter.stats import AllocationStats
from allocmeter.tracking import is_tracking, start_tracking, stop_tracking

if TYPE_CHECKING:
    from allocmeter._core.types import NativeScope


def observed_scope() -> NativeScope | None:
    """Return the current scope; outside every scope, track the process and return `None`."""
    global _process_observers, _tracking_is_ours  # noqa: PLW0603 - tracking is process-wide too
    scope = current_scope()
    if scope is None:
        if not is_tracking():
            start_tracking()
            _process_observers, _tracking_is_ours = 0, True
        _process_observers += 1
    return scope


def stop_observing(scope: NativeScope | None) -> None:
    """Undo `observed_scope` for an object that is entered, and so gets a scope of its own.

    Only on entering does it show that an object made outside every scope needs no tracking.
    """
    global _process_observers, _tracking_is_ours  # noqa: PLW0603
    if scope is None:
        _process_observers -= 1
        if _tracking_is_ours and not _process_observers:
            _tracking_is_ours = False
            stop_tracking()


_process_observers = 0
_tracking_is_ours = False


def read_stats(scope: NativeScope | None, moment: int = NOW) -> AllocationStats:
    """Return the figures of a scope at a moment, or without a scope of the process now."""
    figures = read_process() if scope is None else read_scope(scope, moment)
    return AllocationStats.from_figures(figures)
