"""The fixture `allocations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.own import OWN
from allocmeter.backend import install
from allocmeter.testing.blocks import Block, excess_error
from allocmeter.testing.budget import Budget, budget
from allocmeter.testing.details import SECTION, details

if TYPE_CHECKING:
    import pytest

    from allocmeter.testing.findings import Findings


class Allocations:
    """Measures blocks inside one test, and holds them to budgets.

    Blocks may be nested, and open in several tasks and threads of the test at once. What is done
    here is charged to the library, not to the test.

    Args:
        item: the test.
    """

    def __init__(self, item: pytest.Item) -> None:
        install()
        self._item = item
        self._soft: list[tuple[str, str]] = []

    def measure(self, name: str | None = None) -> Block:
        """Return a block that may allocate as much as it likes.

        Args:
            name: of its scope in reports; unnamed ones are in none.
        """
        with OWN:
            return Block(name, Budget(), self._refuse)

    def budget(
        self,
        allocations: int | None = None,
        *,
        bytes: int | str | None = None,
        peak: int | str | None = None,
        soft: bool = False,
        name: str | None = None,
    ) -> Block:
        """Return a block that may allocate so much and no more.

        Args:
            allocations: the most blocks of memory.
            bytes: the most bytes in all, as a number or as text such as `"64 KiB"`.
            peak: the most bytes at once, likewise.
            soft: whether the test goes on when the block has taken more, and fails at its end
                together with everything else that is wrong then.
            name: of the block in messages, and of its scope in reports.

        Returns:
            The block; leaving it raises `BudgetExceededError` if it has taken more, unless it is
            left by another exception or the budget is soft.

        Raises:
            TypeError: nothing is limited, or a limit is of another type.
            ValueError: a limit is negative, or no size.
        """
        with OWN:
            try:
                allowed = budget(allocations, bytes, peak)
            except (TypeError, ValueError) as error:
                raise type(error)(f"allocations.budget(): {error}") from None
            return Block(name, allowed, self._collect if soft else self._refuse)

    def _refuse(self, block: Block, findings: Findings) -> None:
        __tracebackhide__ = True
        self._item.add_report_section("call", SECTION, details(findings))
        raise excess_error(block, findings)

    def _collect(self, block: Block, findings: Findings) -> None:
        self._soft.append((findings.headline(str(block)), details(findings)))

    def end(self) -> str:
        """Return what soft budgets have found in the course of the test, empty if nothing."""
        found, self._soft = self._soft, []
        for headline, text in found:
            subject = headline.splitlines()[0]
            self._item.add_report_section("call", SECTION, f"{subject}\n{text}")
        return "\n".join(headline for headline, _ in found)
