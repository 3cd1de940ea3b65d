"""The background task that samples live memory while an operation runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from allocmeter._core.own import OWN

if TYPE_CHECKING:
    from collections.abc import Callable


class Sampler:
    """The background task of one `async with`, which takes a sample every `interval` seconds."""

    __slots__ = ("_failed", "_group", "_interval", "_sample", "_sleeping")

    def __init__(self, sample: Callable[[], object], interval: float) -> None:
        self._sample = sample
        self._interval = interval
        self._failed = False

    async def start(self) -> None:
        """Begin to sample; to be stopped by the same task."""
        from anyio import CancelScope, create_task_group

        # Shielded: a sampler that is cancelled together with the operation would have the task
        # group raise, in place of the operation's own exception.
        self._sleeping = CancelScope(shield=True)
        self._group = create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)

    async def stop(self) -> None:
        """End the background task, without waiting for its next sample."""
        self._sleeping.cancel()
        # The group is to wait for the sampler and for nothing else. It is not told of the
        # operation's exception, which it would wrap in a group, and must not be interrupted by
        # a cancellation that the operation has seen already or will see at its next await.
        self._group.cancel_scope.shield = True
        await self._group.__aexit__(None, None, None)

    async def _run(self) -> None:
        from anyio import get_cancelled_exc_class, sleep

        # Somebody may cancel every task of an event loop; that must not end the group, and with
        # it the operation.
        with suppress(get_cancelled_exc_class()), self._sleeping:
            while not self._failed:
                await sleep(self._interval)
                if not self._sleeping.cancel_called:
                    self.take_sample()

    def take_sample(self) -> None:
        """Take one sample now; the first that fails is logged and was the last."""
        with OWN:
            if self._failed:
                return
            try:
                self._sample()
            except Exception:
                from logging import getLogger

                self._failed = True
                getLogger("allocmeter").exception(
                    "the memory sampler failed and has stopped; the peaks stay exact, and the "
                    "timeline ends here"
                )


def check_interval(interval: object) -> float:
    """Return `interval` if it is a number of seconds that can be waited for.

    Raises:
        TypeError: it is no number.
        ValueError: it is not positive and finite.
    """
    if not isinstance(interval, (int, float)) or isinstance(interval, bool):
        raise TypeError(
            f"interval is a number of seconds, not {type(interval).__name__} ({interval!r})"
        )
    if not 0 < interval < float("inf"):  # NaN fails every comparison
        raise ValueError(f"interval must be a positive, finite number of seconds, not {interval}")
    return interval
