"""What a plain call must not return: work that has not been done yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN

if TYPE_CHECKING:
    from collections.abc import Callable


def refuse_awaitable(fn: Callable[..., Any], result: object) -> None:
    """Raise `TypeError` if a plain callable returned work that was not done yet."""
    if not hasattr(type(result), "__await__"):
        return
    with OWN:
        from inspect import iscoroutine

        if iscoroutine(result):
            result.close()  # or it would warn that it was never awaited
        raise TypeError(
            f"{fn!r} is no async function, but returned an awaitable, which has not been run: "
            "pass the async function itself, or an async function that awaits it"
        )
