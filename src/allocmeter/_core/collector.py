"""Keeping what the garbage collector's finalizers allocate out of the task that triggered it."""

from __future__ import annotations

import gc
from typing import Any

from allocmeter._core import types

_first: Any = None
_last: Any = None


def watch() -> None:
    """Have the core told when a collection begins and ends, and check that it understands.

    Where the check fails, as it may on a patched interpreter, finalizers are charged to the task
    that triggered the collection, and `is_watching` says so.
    """
    global _first, _last  # noqa: PLW0603 - one process, one collector
    _first = types.native().am_collector_callback(1)
    _last = types.native().am_collector_callback(0)
    _remove()
    gc.callbacks.insert(0, _first)
    gc.callbacks.append(_last)
    gc.collect(0)
    if not types.native().am_collector_check():
        unwatch()


def unwatch() -> None:
    """Undo `watch`."""
    types.native().am_collector_forget()
    _remove()


def is_watching() -> bool:
    """Whether finalizers are told apart."""
    return _first is not None and _first in gc.callbacks


def _remove() -> None:
    for callback in (_first, _last):
        if callback in gc.callbacks:
            gc.callbacks.remove(callback)
