"""Charging the library's own work to the library."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from allocmeter._core import types
from allocmeter.errors import BackendUnavailableError


def _guard() -> AbstractContextManager[Any]:
    try:
        guard: AbstractContextManager[Any] = types.native().am_own_guard_object()
    except BackendUnavailableError:
        return nullcontext()
    return guard


# What this thread allocates inside `with OWN:` is charged to the library. For synchronous sections
# only: it belongs to the thread, so nothing inside may switch to another task. Re-entrant.
OWN = _guard()


def own_context() -> AbstractContextManager[Any]:
    """Charge this context, and the tasks started in it, to the library until the block ends.

    Unlike `OWN` it follows the logical flow, so it may surround awaits.

    Raises:
        BackendUnavailableError: the native library cannot be used.
    """
    with OWN:
        anchor: AbstractContextManager[Any] = types.native().am_own_context_object()
        return anchor
