"""Blocks inside a test: what they allocate, and how much they may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.errors import BackendUnavailableError, BudgetExceededError
from allocmeter.scopes import measure
from allocmeter.size_classes import count_size_classes
from allocmeter.testing.figures import figures_of
from allocmeter.testing.findings import examined
from allocmeter.testing.scope_rows import since, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from allocmeter.testing.budget import Budget
    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.findings import Findings


class Block:
    """A block of a test: what it allocates, and how much it may. For `with` and `async with`, once.

    Everything allocated inside counts, and nothing that runs beside it, as in
    `allocmeter.measure`. Figures can be read when the block has ended, from any task and thread.
    A block that an exception leaves has figures too, and its budget is not looked at.

    Attributes:
        name: what the block is called in messages and reports, or `None`.
        budget: how much it may allocate.
    """

    def __init__(
        self,
        name: str | None,
        budget: Budget,
        on_excess: Callable[[Block, Findings], None],
    ) -> None:
        self.name = name
        self.budget = budget
        self._on_excess = on_excess
        self._scope = measure(name)
        if budget.is_limited:
            count_size_classes(self._scope)
        self._scopes_before = snapshot()
        self._figures: TestFigures | None = None

    @property
    def figures(self) -> TestFigures:
        """What the block allocated, with the named scopes inside it.

        Raises:
            RuntimeError: the block has not ended yet.
            BackendUnavailableError: the figures cannot be known; the text says why.
        """
        with OWN:
            if self._figures is None:
                if not self._scope.is_closed:
                    raise RuntimeError(
                        f"{self} has not ended yet, so it has no final figures: read them after it"
                    )
                found = figures_of(self._scope)
                inside = [row for row in since(self._scopes_before) if row.name != self.name]
                self._figures = replace(found, scopes=tuple(inside))
            return self._figures

    @property
    def allocations(self) -> int:
        """Blocks of memory that were allocated. Raises what `figures` does."""
        return self.figures.allocations

    @property
    def bytes_allocated(self) -> int:
        """Their bytes. Raises what `figures` does."""
        return self.figures.bytes_allocated

    @property
    def peak_bytes(self) -> int:
        """The high-water mark of live bytes. Raises what `figures` does."""
        return self.figures.peak_bytes

    @property
    def retained_allocations(self) -> int:
        """Blocks of memory that were alive when it ended. Raises what `figures` does."""
        return self.figures.retained_allocations

    @property
    def retained_bytes(self) -> int:
        """Their bytes. Raises what `figures` does."""
        return self.figures.retained_bytes

    def __str__(self) -> str:
        return "the block" if self.name is None else f"the block {self.name!r}"

    def __enter__(self) -> Self:
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self._scope.__exit__(exc_type, exc_value, traceback)
        with OWN:
            self._end(exc_value)

    def __aenter__(self) -> Coroutine[Any, Any, Self]:
        self._scope.__enter__()
        with OWN:
            return _ready(self)

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        __tracebackhide__ = True
        self._scope.__exit__(exc_type, exc_value, traceback)
        with OWN:
            self._end(exc_value)
            return _ready(None)

    def _end(self, error: BaseException | None) -> None:
        __tracebackhide__ = True
        try:
            figures = self.figures
        except BackendUnavailableError:
            if error is None and self.budget.is_limited:
                raise
            return
        if error is None and (findings := examined(figures, self.budget)):
            self._on_excess(self, findings)


async def _ready(value: Any) -> Any:
    """Return `value`: what `async with` awaits when all is done, made in an own section."""
    return value


def excess_error(block: Block, findings: Findings) -> BudgetExceededError:
    """Return the error that says what a block took more than it may."""
    figures = findings.figures
    return BudgetExceededError(
        findings.headline(str(block)),
        allocations=figures.allocations,
        bytes=figures.bytes_allocated,
        peak_bytes=figures.peak_bytes,
        name=block.name,
    )
