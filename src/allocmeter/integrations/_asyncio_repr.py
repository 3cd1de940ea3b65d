"""Keeping our callback out of what asyncio shows of a task: its repr, and so its log messages."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN

if TYPE_CHECKING:
    from collections.abc import Callable


class _WithoutOurs:
    """A future as it would be without callbacks of one type."""

    def __init__(self, future: Any, callbacks: list[Any]) -> None:
        self._future = future
        self._callbacks = callbacks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._future, name)


def without(ours: type) -> Callable[[Any], Any]:
    """Return what makes of `base_futures._future_repr_info` one that hides callbacks of a type."""

    def wrap(describe: Any) -> Any:
        @functools.wraps(describe)
        def _future_repr_info(future: Any) -> Any:
            with OWN:
                callbacks = list(getattr(future, "_callbacks", None) or ())
                shown = [entry for entry in callbacks if type(entry[0]) is not ours]
                if len(shown) < len(callbacks):
                    future = _WithoutOurs(future, shown)
            return describe(future)

        return _future_repr_info

    return wrap
