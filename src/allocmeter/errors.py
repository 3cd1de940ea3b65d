"""The exceptions this library raises, all of them below `AllocmeterError`."""

from __future__ import annotations


class AllocmeterError(Exception):
    """Base of every error that is specific to this library."""


class BackendUnavailableError(AllocmeterError, RuntimeError):
    """A figure was asked for that the running backend cannot know.

    The text says why (library missing, built for another interpreter, tracking off, hooks
    removed) and what to do. An unavailable figure is never reported as zero.
    """


class HookError(AllocmeterError, RuntimeError):
    """The allocator hooks cannot be put in place or taken away safely right now."""


class ReportFormatError(AllocmeterError, ValueError):
    """A report file is damaged, foreign, or of a schema version newer than this library."""


class LeakError(AllocmeterError, AssertionError):
    """Memory allocated by an operation is still alive beyond the tolerance given.

    Attributes:
        name: the scope or detector that found it, or `None` if it was not named.
        allocations: net blocks still alive.
        bytes: net bytes still alive.
    """

    def __init__(
        self, message: str, *, allocations: int, bytes: int, name: str | None = None
    ) -> None:
        super().__init__(message)
        self.name = name
        self.allocations = allocations
        self.bytes = bytes

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions, and test
        # runners send failures between processes.
        return _rebuild_leak_error, (str(self), self.allocations, self.bytes, self.name)


def _rebuild_leak_error(message: str, allocations: int, size: int, name: str | None) -> LeakError:
    return LeakError(message, allocations=allocations, bytes=size, name=name)


class BudgetExceededError(AllocmeterError, AssertionError):
    """A test, or a block of it, allocated more than its budget allows.

    Attributes:
        name: of the block or the test, or `None`.
        allocations: blocks that it allocated.
        bytes: their bytes.
        peak_bytes: the most of them that were alive at once.
    """

    def __init__(
        self,
        message: str,
        *,
        allocations: int,
        bytes: int,
        peak_bytes: int,
        name: str | None = None,
    ) -> None:
        super().__init__(message)
        self.name = name
        self.allocations = allocations
        self.bytes = bytes
        self.peak_bytes = peak_bytes

    def __reduce__(self) -> tuple[object, ...]:
        figures = self.allocations, self.bytes, self.peak_bytes
        return _rebuild_budget_error, (str(self), *figures, self.name)


def _rebuild_budget_error(
    message: str, allocations: int, size: int, peak: int, name: str | None
) -> BudgetExceededError:
    return BudgetExceededError(
        message, allocations=allocations, bytes=size, peak_bytes=peak, name=name
    )
