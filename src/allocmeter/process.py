"""What the operating system, the C library and the interpreter each say the process holds."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from allocmeter._core.own import OWN

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """The memory of the whole process, as different layers see it at one moment.

    The figures overlap and do not add up: the resident set contains what malloc hands out, and
    that contains a part of what Python objects use. A figure that cannot be known here is
    `None`, never zero.

    Attributes:
        rss_bytes: resident set size. The kernel keeps it per processor and may lag by a few
            dozen pages.
        peak_rss_bytes: the highest resident set size since the program was started.
        malloc_in_use_bytes: bytes the C library has handed out and not taken back, with its
            headers and the blocks it caches per thread. The interpreter's arenas of small
            objects are mapped apart from it.
        python_live_bytes: live bytes requested from the interpreter's allocators since
            process-wide tracking was turned on, or `None` while it is off.
    """

    rss_bytes: int | None
    peak_rss_bytes: int | None
    malloc_in_use_bytes: int | None
    python_live_bytes: int | None

    def to_dict(self) -> dict[str, int | None]:
        """Return the four figures by name, in bytes, ready for JSON."""
        return {
            "rss_bytes": self.rss_bytes,
            "peak_rss_bytes": self.peak_rss_bytes,
            "malloc_in_use_bytes": self.malloc_in_use_bytes,
            "python_live_bytes": self.python_live_bytes,
        }


def process_memory() -> ProcessMemory:
    """Read the memory of this process now.

    Safe from any task or thread; costs some tens of microseconds, because malloc's figure is
    summed over its arenas.

    Returns:
        The figures in bytes. On Linux, resident sizes come from `/proc` and malloc's from
        `mallinfo2` (glibc 2.33 or newer). On other systems only the peak is known, from
        `getrusage`.
    """
    with OWN:
        return ProcessMemory(
            rss_bytes=rss_bytes(),
            peak_rss_bytes=_peak_rss_bytes(),
            malloc_in_use_bytes=_malloc_in_use_bytes(),
            python_live_bytes=_python_live_bytes(),
        )


def rss_bytes() -> int | None:
    """Return the resident set size of this process in bytes, or `None` off Linux.

    Cheap enough for a sampler: one open, one read, one close. The file is opened anew each
    time, because one kept open across a fork would go on describing the parent.
    """
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # /proc is not mounted
        return None
    try:
        fields = os.read(descriptor, 256).split()
    finally:
        os.close(descriptor)
    return int(fields[1]) * _page_size()


@cache
def _page_size() -> int:
    return os.sysconf("SC_PAGE_SIZE")


def _peak_rss_bytes() -> int | None:
    if sys.platform == "linux":
        return _status_bytes("VmHWM")
    try:
        import resource
    except ImportError:  # not a POSIX system
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Everybody else counts kibibytes here.
    return highest if sys.platform == "darwin" else highest * 1024


def _status_bytes(field: str) -> int | None:
    """Return a size from /proc/self/status, whose unit `kB` means 1,024 bytes."""
    prefix = field.encode() + b":"
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - pathlib costs an import
            for line in status:
                if line.startswith(prefix):
                    return int(line.split()[1]) * 1024
    except OSError:  # /proc is not mounted
        pass
    return None


def _malloc_in_use_bytes() -> int | None:
    reader = _mallinfo2()
    return None if reader is None else reader()


@cache
def _mallinfo2() -> Callable[[], int] | None:
    """Find glibc's `mallinfo2`; the older `mallinfo` overflows at 2 GiB and is not used."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes
    except ImportError:  # an interpreter built without libffi
        return None

    class Mallinfo2(ctypes.Structure):
        # The order is glibc's <malloc.h>; every member is a size_t.
        _fields_ = tuple(
            (name, ctypes.c_size_t)
            for name in (
                "arena",
                "ordblks",
                "smblks",
                "hblks",
                "hblkhd",
                "usmblks",
                "fsmblks",
                "uordblks",
                "fordblks",
                "keepcost",
            )
        )

    try:
        function = ctypes.CDLL(None).mallinfo2
    except AttributeError:  # another C library, or a glibc older than 2.33
        return None
    function.argtypes = ()
    function.restype = Mallinfo2

    def read() -> int:
        info = function()
        # Chunks taken from arenas, and those mapped one by one because they are large.
        return int(info.uordblks) + int(info.hblkhd)

    return read


def _python_live_bytes() -> int | None:
    from allocmeter._core.figures import read_process
    from allocmeter.tracking import is_tracking

    if not is_tracking():
        return None
    figures = read_process()
    return figures.bytes_allocated - figures.bytes_deallocated
