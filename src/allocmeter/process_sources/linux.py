"""Linux: resident sizes from /proc, and what the C library says of malloc."""

from __future__ import annotations

import os
from functools import cache

from allocmeter.process_sources import Source

# Fields of /proc/self/statm, in pages: see proc_pid_statm(5).
_RESIDENT = 1
_DATA = 5


def source() -> Source:
    """Return how to read the figures here; without glibc, malloc's stays unknown."""
    try:
        from allocmeter.process_sources import glibc
    except ImportError:  # an interpreter built without libffi has no ctypes
        return Source(rss_bytes, peak_rss_bytes)
    return Source(rss_bytes, peak_rss_bytes, glibc.malloc_in_use_reader(data_bytes))


def rss_bytes() -> int | None:
    """Return the resident set size, at the cost of one open, one read and one close."""
    return _statm_bytes(_RESIDENT)


def data_bytes() -> int | None:
    """Return the size of all private writable mappings: never less than malloc has handed out."""
    return _statm_bytes(_DATA)


def peak_rss_bytes() -> int | None:
    """Return the highest resident set size, which the kernel gives in kibibytes called kB."""
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - pathlib costs an import
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # /proc is not mounted
        pass
    return None


def _statm_bytes(field: int) -> int | None:
    # Opened anew each time: a file kept open across a fork would go on describing the parent.
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # /proc is not mounted
        return None
    try:
        fields = os.read(descriptor, 256).split()
    finally:
        os.close(descriptor)
    return int(fields[field]) * _page_size()


@cache
def _page_size() -> int:
    return os.sysconf("SC_PAGE_SIZE")
