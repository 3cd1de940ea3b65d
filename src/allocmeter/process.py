"""What the operating system, the C library and the interpreter each say the process holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from allocmeter._core.own import OWN

if TYPE_CHECKING:
    from allocmeter.process_sources import Source


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
            objects are mapped apart from it. Unknown with a C library that does not tell, such
            as musl, and where another allocator such as jemalloc or mimalloc stands in place of
            the C library's malloc, which then knows nothing of the blocks.
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
        The figures in bytes. On Linux, resident sizes come from `/proc`, and malloc's figure from
        glibc's `mallinfo2`, or from `mallinfo` before glibc 2.33: that one is unknown once 4 GiB
        of private memory are mapped. On macOS they come from `task_info` and from
        `malloc_zone_statistics`. Elsewhere only the peak is known, from `getrusage`.
    """
    with OWN:
        source = _source()
        return ProcessMemory(
            rss_bytes=source.rss_bytes(),
            peak_rss_bytes=source.peak_rss_bytes(),
            malloc_in_use_bytes=source.malloc_in_use_bytes(),
            python_live_bytes=_python_live_bytes(),
        )


def rss_bytes() -> int | None:
    """Return the resident set size of this process in bytes; `None` where it is not known.

    Cheap enough for a sampler: a few system calls, and nothing that grows with the process.
    """
    with OWN:
        return _source().rss_bytes()


@cache
def _source() -> Source:
    from allocmeter.process_sources import find

    return find()


def _python_live_bytes() -> int | None:
    from allocmeter._core.figures import read_process, read_process_native
    from allocmeter.errors import BackendUnavailableError
    from allocmeter.tracking import is_tracking

    if not is_tracking():
        return None
    try:
        figures, native = read_process(), read_process_native()
    except BackendUnavailableError:  # blocks went by unseen
        return None
    live = figures.bytes_allocated - figures.bytes_deallocated
    if native is None:
        return live
    return live - (native.bytes_allocated - native.bytes_deallocated)
