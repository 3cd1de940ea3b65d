"""The columns of the text table, and what each shows of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from allocmeter.units import bar, human_bytes, human_count
from allocmeter.verdicts import grows, judged_growth

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.renderers.summary import Summary
    from allocmeter.reports import Report, ReportRow
    from allocmeter.verdicts import Verdict

_BAR_WIDTH: Final = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column beside the names.

    Attributes:
        headings: the two lines above it.
        text: what it shows of a row and its verdict.
        rank: 0 if it is always shown; of the others, the highest is left out first.
        is_left: whether it is aligned to the left.
    """

    headings: tuple[str, str]
    text: Callable[[ReportRow, Verdict], str]
    rank: int = 0
    is_left: bool = False

    def aligned(self, text: str, width: int) -> str:
        """Return a text of this column in its full width."""
        return text.ljust(width) if self.is_left else text.rjust(width)


def columns_of(report: Report, summary: Summary, sort: str) -> list[Column]:
    """Return the columns that this report fills; the one it is sorted by is always shown."""
    blocks_rank = 0 if sort == "allocations" else 4

    def failed(row: ReportRow, _: Verdict) -> str:
        return human_count(row.errors + row.cancelled)

    def share(row: ReportRow, _: Verdict) -> str:
        return bar(summary.share(row.bytes_allocated.sum), _BAR_WIDTH)

    found = [
        Column(("", "calls"), lambda row, _: human_count(row.count)),
        Column(("allocated", "in all"), lambda row, _: human_bytes(row.bytes_allocated.sum)),
        Column(("share of", "bytes"), share, rank=3, is_left=True),
        Column(("allocated", "p50"), lambda row, _: human_bytes(row.bytes_allocated.p50), rank=5),
        Column(("allocated", "p95"), lambda row, _: human_bytes(row.bytes_allocated.p95), rank=6),
        Column(("allocated", "max"), lambda row, _: human_bytes(row.bytes_allocated.max), rank=1),
        Column(("allocations", "in all"), _allocations, rank=blocks_rank),
        Column(("peak", "max"), lambda row, _: human_bytes(row.peak_bytes.max)),
        Column(("retained", "now"), lambda row, _: human_bytes(row.retained_bytes)),
        Column(("", "verdict"), lambda _, found: found.kind, is_left=True),
    ]
    if any(map(grows, report.rows)):
        # The lines below the table say it of whatever leaks.
        found.insert(-1, Column(("growth per", "1,000 calls"), _growth, rank=7))
    if any(row.native_bytes_allocated is not None for row in report.rows):
        found.insert(3, Column(("of these", "native"), _native, rank=2))
    if any(row.errors or row.cancelled for row in report.rows):
        found.insert(1, Column(("", "failed"), failed))
    return found


def _allocations(row: ReportRow, _: Verdict) -> str:
    return human_count(row.allocations.sum)


def _native(row: ReportRow, _: Verdict) -> str:
    # Not seen is not the same as none.
    native = row.native_bytes_allocated
    return "not seen" if native is None else human_bytes(native)


def _growth(row: ReportRow, _: Verdict) -> str:
    growth = judged_growth(row)
    if growth is None:
        return ""
    return human_bytes(growth.bytes_per_1000_calls) if growth.is_significant else "none"
