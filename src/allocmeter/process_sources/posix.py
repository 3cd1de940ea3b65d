"""Systems of which no more is known than what getrusage says, if they have that."""

from __future__ import annotations

import sys

from allocmeter.process_sources import Source


def source() -> Source:
    """Return how to read the peak of the resident set size; the rest is unknown."""
    return Source(peak_rss_bytes=peak_rss_bytes)


def peak_rss_bytes() -> int | None:
    """Return the highest resident set size; `None` where the system does not say."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes here, everybody else kibibytes.
    return highest if sys.platform == "darwin" else highest * 1024
