"""Where the figures of the process come from: one module for each system or C library."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def unknown() -> None:
    """Answer for a figure that cannot be known here."""


@dataclass(frozen=True, slots=True)
class Source:
    """How to read each figure of this process, in bytes. Every one is safe from any thread.

    Attributes:
        rss_bytes: the resident set size, cheap enough for a sampler.
        peak_rss_bytes: the highest resident set size so far.
        malloc_in_use_bytes: what the C library has handed out and not taken back. Its cost
            grows with the number of malloc's arenas or zones.
    """

    rss_bytes: Callable[[], int | None] = unknown
    peak_rss_bytes: Callable[[], int | None] = unknown
    malloc_in_use_bytes: Callable[[], int | None] = unknown


def find() -> Source:
    """Return the source for the system and the C library that this process runs on."""
    if sys.platform == "linux":
        from allocmeter.process_sources import linux

        return linux.source()
    if sys.platform == "darwin":
        try:
            from allocmeter.process_sources import macos
        except ImportError:  # an interpreter built without libffi has no ctypes
            pass
        else:
            return macos.source()
    from allocmeter.process_sources import posix

    return posix.source()
