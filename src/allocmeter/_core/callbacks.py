"""What the core asks of Python while it enters and leaves scopes."""

from __future__ import annotations

import sys
from typing import TypeVar

SUCCEEDED, FAILED, CANCELLED = 0, 1, 2  # as in _native/aggregate.h

_Value = TypeVar("_Value")

# Where each event loop keeps the exception that cancels. Looked up, not imported: a program that
# does not use a loop must not pay for it, and cannot be cancelled by it.
_CANCELLATIONS = (("asyncio", "CancelledError"), ("trio", "Cancelled"))


def classify(exception_type: type[BaseException]) -> int:
    """Return whether an exception of this type means failure or cancellation.

    A coroutine or generator that is closed in the middle (`GeneratorExit`) was stopped from
    outside, as a cancelled task is.
    """
    if issubclass(exception_type, GeneratorExit):
        return CANCELLED
    for module, name in _CANCELLATIONS:
        cancellation = getattr(sys.modules.get(module), name, None)
        if cancellation is not None and issubclass(exception_type, cancellation):
            return CANCELLED
    return FAILED


async def ready(value: _Value) -> _Value:
    """Return `value` at once: what `async with` awaits when a scope is entered or left."""
    return value
