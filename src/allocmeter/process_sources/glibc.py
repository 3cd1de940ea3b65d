"""What glibc's malloc has handed out: `mallinfo2`, or `mallinfo` in releases before 2.33.

Other C libraries for Linux, musl among them, have neither.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from allocmeter.process_sources import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

# The members of both structures in the order of glibc's <malloc.h>.
_MEMBERS = (
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
_PROBE_BYTES = 1 << 16
_PROBES = 3


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in _MEMBERS)


class _Mallinfo(ctypes.Structure):
    # Declared as int, but filled from size_t: read as unsigned, they wrap at 4 GiB, not at 2.
    _fields_ = tuple((name, ctypes.c_uint) for name in _MEMBERS)


_MALLINFO_END = 1 << 32


def malloc_in_use_reader(
    data_bytes: Callable[[], int | None], library: str | None = None
) -> Callable[[], int | None]:
    """Find out how to read the bytes that malloc has handed out and not taken back.

    Args:
        data_bytes: says how much private writable memory is mapped, in bytes, or `None`.
        library: path of the C library; `None` is the one in this process.

    Returns:
        The function that reads them. Its answer is `None` where there is no such figure: with
        another C library; with another malloc in place of glibc's, of whose blocks glibc knows
        nothing; and with `mallinfo` while so much is mapped that its members may have wrapped.
    """
    loaded = ctypes.CDLL(library)
    read = _mallinfo2(loaded) or _mallinfo(loaded, data_bytes)
    if read is None or not _follows_malloc(read, ctypes.PyDLL(library)):
        return unknown
    return read


def _mallinfo2(library: ctypes.CDLL) -> Callable[[], int | None] | None:
    try:
        function = library.mallinfo2
    except AttributeError:  # another C library, or a glibc older than 2.33
        return None
    function.argtypes = ()
    function.restype = _Mallinfo2
    return lambda: _handed_out(function())


def _mallinfo(
    library: ctypes.CDLL, data_bytes: Callable[[], int | None]
) -> Callable[[], int | None] | None:
    try:
        function = library.mallinfo
    except AttributeError:  # another C library
        return None
    function.argtypes = ()
    function.restype = _Mallinfo

    def read() -> int | None:
        # The resident size would not do: what is handed out need not be resident.
        mapped = data_bytes()
        if mapped is None or mapped >= _MALLINFO_END:
            return None
        return _handed_out(function())

    return read


def _handed_out(info: _Mallinfo2 | _Mallinfo) -> int:
    # Chunks taken from arenas, and those mapped one by one because they are large.
    return int(info.uordblks) + int(info.hblkhd)


def _follows_malloc(read: Callable[[], int | None], library: ctypes.PyDLL) -> bool:
    """Tell whether the figure is about the malloc in use, which may be another allocator's.

    The lock is kept around malloc and free, so that what they charge is charged to the library.
    """
    library.malloc.argtypes = [ctypes.c_size_t]
    library.malloc.restype = ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.free.restype = None
    # More than once: a native thread may free as much in the same moment.
    for _ in range(_PROBES):
        before = read()
        block = library.malloc(_PROBE_BYTES)
        after = read()
        library.free(block)
        if before is not None and after is not None and after - before >= _PROBE_BYTES:
            return True
    return False
