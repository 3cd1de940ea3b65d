"""The preload library, which lets the core see the native domain.

It has to be in the process before anything else, by `LD_PRELOAD`; see `_native/preload/preload.h`.
"""

from __future__ import annotations

import sys

from allocmeter._core import types
from allocmeter.errors import BackendUnavailableError

STEM = "liballocmeter_preload"
VARIABLE = "LD_PRELOAD"

_ABSENT, _READY, _SEEN = 0, 1, 2  # as in _native/malloc.h
_REASONS = {
    _ABSENT: "the program was not started with the preload library; start it with `allocmeter run`",
    _READY: "the hooks are not installed yet; the first scope or install() does that",
    _SEEN: "",
    3: "calls of malloc do not reach the preload library: the interpreter is linked with another "
    "malloc, or a library with one stands before it in LD_PRELOAD",
    4: "the preload library in this process belongs to another version of allocmeter",
}


def find() -> str:
    """Return the path of the preload library, fit for `LD_PRELOAD`.

    Raises:
        BackendUnavailableError: there is none for this system, it is not built, or its path cannot
            be written in that variable.
    """
    if sys.platform != "linux":
        raise BackendUnavailableError(
            f"native memory can be seen on Linux only, by LD_PRELOAD; this is {sys.platform}"
        )
    # Here, because the package must be importable without ctypes.
    from allocmeter._core.library import find_built

    path = find_built(STEM)
    if " " in path or ":" in path:
        raise BackendUnavailableError(
            f"{path} cannot be preloaded: LD_PRELOAD separates paths by spaces and colons. Install "
            "allocmeter in a directory without them"
        )
    return path


def preloading(library: str, others: str | None) -> str:
    """Return the value of `LD_PRELOAD` that has `library` before the `others` it has now, if any.

    The library comes first: it has to see the calls before another allocator that is preloaded
    takes them, and passes them on to that one.
    """
    return f"{library}:{others}" if others else library


def is_in_process() -> bool:
    """Whether the preload library, of whatever version, is in this process."""
    return bool(types.native().am_native() != _ABSENT)


def why_not_seen() -> str:
    """Return an empty text if the native domain is seen in this process, or the reason why not."""
    state: int = types.native().am_native()
    return _REASONS[state]


def is_seen() -> bool:
    """Whether the native domain is seen in this process."""
    return bool(types.native().am_native() == _SEEN)
