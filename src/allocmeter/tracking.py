"""Recording the process as a whole, outside every scope too."""

from __future__ import annotations

from allocmeter._core import figures, types
from allocmeter._core.own import OWN
from allocmeter.backend import install
from allocmeter.errors import BackendUnavailableError


def start_tracking() -> None:
    """Record every allocation of the process from now on, also outside scopes.

    Scopes do not need it. Starting twice changes nothing, and nothing measured before is reset:
    the process's counters only grow, and a window is the difference of two snapshots. Code outside
    every scope then costs what code inside one costs. Safe from any thread.

    Raises:
        BackendUnavailableError: the native library cannot be used.
        HookError: the allocator hooks cannot be installed.
    """
    with OWN:
        install()
        types.native().am_track(1)


def stop_tracking() -> None:
    """Stop recording outside scopes. What was recorded stays; stopping twice changes nothing."""
    with OWN:
        types.native().am_track(0)


def is_tracking() -> bool:
    """Whether the process as a whole is being recorded; never where the library cannot be used."""
    with OWN:
        try:
            return figures.is_tracking()
        except BackendUnavailableError:
            return False
