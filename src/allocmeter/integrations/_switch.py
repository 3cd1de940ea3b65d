"""What turns a part of ours off when it fails, so that the program goes on without it."""

from __future__ import annotations


class Switch:
    """Whether a part of ours is at work. A failure turns it off, and is logged once per switch.

    Args:
        failure: what the log says: what failed, what that means, what to do.
        on: whether it is at work from the start.

    Attributes:
        on: for reading.
    """

    __slots__ = ("_failure", "_warned", "on")

    def __init__(self, failure: str, *, on: bool = True) -> None:
        self._failure = failure
        self._warned = False
        self.on = on

    def turn_on(self) -> None:
        """Let it work."""
        self.on = True

    def turn_off(self) -> None:
        """Stop it."""
        self.on = False

    def give_up(self) -> None:
        """After a failure, stop it and say so. Call it while the exception is handled."""
        self.on = False
        if self._warned:
            return
        self._warned = True
        import logging

        logging.getLogger("allocmeter").exception(self._failure)  # noqa: LOG004 - see above
