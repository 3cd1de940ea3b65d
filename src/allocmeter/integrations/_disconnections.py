"""Telling what is raised because a client has gone from what is raised for other reasons."""

from __future__ import annotations

from typing import Final

# Starlette and Litestar have exceptions of their own for it.
_NAMES: Final = frozenset({"ClientDisconnect", "WebSocketDisconnect"})


def is_disconnection(error: BaseException) -> bool:
    """Whether an exception may mean that the client is gone, and no member of it anything else."""
    if isinstance(error, BaseExceptionGroup):
        members: tuple[BaseException, ...] = error.exceptions
        return all(map(is_disconnection, members))
    return isinstance(error, OSError) or type(error).__name__ in _NAMES
