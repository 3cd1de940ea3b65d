"""macOS: resident sizes from the kernel's task_info, and what malloc's zones have handed out.

The declarations follow Apple's published headers: `mach/task_info.h`, `mach/task.h` and
`mach/mach_init.h` of xnu, and `malloc/malloc.h` of libmalloc. Zones that another allocator
registers count as far as it reports them.
"""

from __future__ import annotations

import ctypes

from allocmeter.process_sources import Source

_KERN_SUCCESS = 0
_MACH_TASK_BASIC_INFO = 20  # the flavor with 64-bit sizes on every architecture


class _MachTaskBasicInfo(ctypes.Structure):
    # `struct mach_task_basic_info`. Apple packs it to 4 bytes, which moves no member: the natural
    # layout has no gap either.
    _fields_ = (
        ("virtual_size", ctypes.c_uint64),
        ("resident_size", ctypes.c_uint64),
        ("resident_size_max", ctypes.c_uint64),
        ("user_time", ctypes.c_int32 * 2),  # seconds, microseconds
        ("system_time", ctypes.c_int32 * 2),
        ("policy", ctypes.c_int32),
        ("suspend_count", ctypes.c_int32),
    )


# MACH_TASK_BASIC_INFO_COUNT: its size in words of the kernel's natural_t.
_MACH_TASK_BASIC_INFO_COUNT = ctypes.sizeof(_MachTaskBasicInfo) // ctypes.sizeof(ctypes.c_uint32)


class _MallocStatistics(ctypes.Structure):
    # `malloc_statistics_t`
    _fields_ = (
        ("blocks_in_use", ctypes.c_uint),
        ("size_in_use", ctypes.c_size_t),
        ("max_size_in_use", ctypes.c_size_t),
        ("size_allocated", ctypes.c_size_t),
    )


def source(library: str | None = None) -> Source:
    """Return how to read the figures here.

    Args:
        library: path of the library to call; `None` is the system's, which every process has.
    """
    loaded = ctypes.CDLL(library)
    # A variable behind the macro mach_task_self(). Read at each call: a forked child has a task,
    # and a name for it, of its own.
    own_task = ctypes.c_uint32.in_dll(loaded, "mach_task_self_")
    task_info = loaded.task_info
    task_info.argtypes = [
        ctypes.c_uint32,  # the task
        ctypes.c_uint32,  # the flavor
        ctypes.POINTER(_MachTaskBasicInfo),  # declared as a pointer to words
        ctypes.POINTER(ctypes.c_uint32),  # how many words there is room for; how many were written
    ]
    task_info.restype = ctypes.c_int  # kern_return_t
    statistics = loaded.malloc_zone_statistics
    statistics.argtypes = [ctypes.c_void_p, ctypes.POINTER(_MallocStatistics)]
    statistics.restype = None

    def basic_info() -> _MachTaskBasicInfo | None:
        info = _MachTaskBasicInfo()
        count = ctypes.c_uint32(_MACH_TASK_BASIC_INFO_COUNT)
        status = task_info(
            own_task.value, _MACH_TASK_BASIC_INFO, ctypes.byref(info), ctypes.byref(count)
        )
        if status != _KERN_SUCCESS or count.value < _MACH_TASK_BASIC_INFO_COUNT:
            return None
        return info

    def rss_bytes() -> int | None:
        info = basic_info()
        return None if info is None else int(info.resident_size)

    def peak_rss_bytes() -> int | None:
        info = basic_info()
        return None if info is None else int(info.resident_size_max)

    def malloc_in_use_bytes() -> int:
        figures = _MallocStatistics()
        statistics(None, ctypes.byref(figures))  # NULL: the sum over all zones
        return int(figures.size_in_use)

    return Source(rss_bytes, peak_rss_bytes, malloc_in_use_bytes)
