"""Keeping what the garbage collector's finalizers allocate out of the task that triggered it."""

from __future__ import annotations

import gc
from typing import Any

from allocmeter._core import types

_callback: Any = None


def watch() -> None:
    """Have the core told when a collection begins and ends, and check that it understands.

    Where the check fails, as it may on a patched interpreter, finalizers are charged to the task
    that triggered the collection, and `is_watching` says so.
    """
    global _callback  # noqa: PLW0603 - one process, one collector
    if _callback is None:
        _callback = types.native().am_collector_callback()
    if _callback not in gc.callbacks:
        gc.callbacks.insert(0, _callback)
    gc.collect(0)
    if not types.native().am_collector_check():
        unwatch()


def unwatch() -> None:
    """Undo `watch`."""
    types.native().am_collector_forget()
    if _callback in gc.callbacks:
        gc.callbacks.remove(_callback)


def is_watching() -> bool:
    """Whether finalizers are told apart."""
    return _callback is not None and _callback in gc.callbacks
