"""What the core asks of Python while it enters and leaves scopes."""

from __future__ import annotations

import sys

SUCCEEDED, FAILED, CANCELLED = 0, 1, 2  # as in _native/aggregate.h

# Where each event loop keeps the exception that cancels. Looked up, not imported: a program that
# does not use a loop must not pay for it, and cannot be cancelled by it.
_CANCELLATIONS = (("asyncio", "CancelledError"), ("trio", "Cancelled"))


def classify(error: BaseException) -> int:
    """Return whether leaving by this exception means failure or cancellation.

    A coroutine or generator that is closed in the middle (`GeneratorExit`) was stopped from
    outside, as a cancelled task is. A group is a cancellation if it holds nothing else: trio's
    nurseries wrap the cancellation of their children in one.
    """
    if isinstance(error, BaseExceptionGroup):
        members: tuple[BaseException, ...] = error.exceptions
        return max((classify(member) for member in members), key=_is_failure)
    return CANCELLED if isinstance(error, (GeneratorExit, *_cancellations())) else FAILED


def _is_failure(outcome: int) -> bool:
    return outcome == FAILED


def _cancellations() -> list[type[BaseException]]:
    found = (getattr(sys.modules.get(module), name, None) for module, name in _CANCELLATIONS)
    return [cancellation for cancellation in found if cancellation is not None]
