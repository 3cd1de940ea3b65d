"""A report as an aligned text table for terminals and logs, without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.renderers.printable import columns, printable
from allocmeter.renderers.summary import summary_of
from allocmeter.renderers.text_columns import columns_of
from allocmeter.report_order import ordered
from allocmeter.reports import AGE_BANDS
from allocmeter.units import human_bytes, human_count
from allocmeter.verdicts import MIN_CALLS, has_slowed_down, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allocmeter.renderers.summary import Summary
    from allocmeter.renderers.text_columns import Column
    from allocmeter.reports import Report, ReportRow
    from allocmeter.verdicts import Verdict

DEFAULT_WIDTH: Final = 116

_NARROWEST_NAME: Final = 12
# Of a name, this much is worth more than a column that can be left out.
_TELLING_NAME: Final = 24
# Who sees that so much is retained wants to know why it is none of the leaks.
_WORTH_A_LINE: Final = 64 * 1024
_GAP: Final = "  "
_EMPTY: Final = (
    'No named scope has closed yet. Put the work in `async with measure("name"):` or in\n'
    '`with measure("name"):`, or decorate it with `@measured`, and ask again.'
)
_EMPTY_BUT_TRACKED: Final = (
    "No named scope has closed, so this is the process as a whole. Every asyncio or trio task\n"
    "gets a scope of its own by `allocmeter run` or instrument_tasks(); other work gets one by\n"
    '`with measure("name"):` or `@measured`.'
)


def render(
    report: Report,
    *,
    max_rows: int | None = None,
    width: int | None = None,
    sort: str = "bytes",
) -> str:
    """Return the report as text: facts, a table, and the reasons for what stands out.

    Names are shown as `printable` gives them, so a hostile one can neither move the cursor
    nor forge a line.

    Args:
        report: what to show.
        max_rows: rows of the table, `None` for all; the rest is summed up in a line, and what
            stands out in it is still named.
        width: columns of the terminal, `None` for 116. What a table can do without is left out
            if it does not fit, then names are cut; figures never are.
        sort: one of `report_order.SORT_KEYS`.

    Raises:
        ValueError: `max_rows` or `width` is below 1, or `sort` is unknown.
    """
    for option, value in (("max_rows", max_rows), ("width", width)):
        if value is not None and value < 1:
            raise ValueError(f"{option} is {value}; give 1 or more, or None for the default")
    room = DEFAULT_WIDTH if width is None else width
    summary = summary_of(report)
    lines = [*_facts(report, summary, room), ""]
    if not report.rows:
        return "\n".join([*lines, _EMPTY if summary.allocations is None else _EMPTY_BUT_TRACKED])
    judged = [(row, verdict(row)) for row in ordered(report.rows, sort)]
    shown, hidden = judged[:max_rows], judged[len(judged[:max_rows]) :]
    lines += _table(shown, columns_of(report, summary, sort), room)
    if hidden:
        total = human_bytes(sum(row.bytes_allocated.sum for row, _ in hidden))
        lines.append(f"and {human_count(len(hidden))} more, which allocated {total} in all")
    if reasons := list(_reasons(judged, room)):
        lines += ["", *reasons]
    return "\n".join(lines)


def _facts(report: Report, summary: Summary, width: int) -> Iterator[str]:
    facts = [f"allocmeter {report.allocmeter}", report.python]
    if summary.domains is not None:
        facts.append(f"domains: {', '.join(summary.domains) or 'none'}")
    if report.created_at is not None:
        facts.append(report.created_at)
    # The longest comes last: a narrow terminal cuts it first.
    yield printable(" | ".join([*facts, report.platform]), width)
    if report.program is not None:
        yield printable(f"program: {report.program}", width)
    yield from _joined("process: ", _process(summary), width)
    for reason in summary.incomplete:
        yield printable(f"incomplete: {reason}", width)


def _joined(label: str, facts: Iterable[str], width: int) -> Iterator[str]:
    """Return facts side by side below a label, in as many lines as they need."""
    line = ""
    for fact in facts:
        if line and len(f"{line} | {fact}") > width:
            yield line
            line = " " * len(label) + fact
        else:
            line = f"{line} | {fact}" if line else label + fact
    if line:
        yield line


def _process(summary: Summary) -> Iterator[str]:
    if summary.bytes_allocated is not None and summary.allocations is not None:
        blocks = human_count(summary.allocations)
        yield f"{human_bytes(summary.bytes_allocated)} allocated in {blocks} blocks"
    if summary.native_bytes_allocated is not None:
        yield f"native {human_bytes(summary.native_bytes_allocated)}"
    if summary.peak_bytes is not None:
        yield f"peak {human_bytes(summary.peak_bytes)}"
    if summary.live_bytes is not None:
        yield f"alive {human_bytes(summary.live_bytes)}"
    if summary.peak_rss_bytes is not None:
        yield f"peak RSS {human_bytes(summary.peak_rss_bytes)}"


def _table(
    judged: Sequence[tuple[ReportRow, Verdict]], chosen: Sequence[Column], width: int
) -> Iterator[str]:
    names = ["", "scope", *(row.name for row, _ in judged)]
    texts = [
        [*column.headings, *(column.text(row, found) for row, found in judged)] for column in chosen
    ]
    widths = [max(map(len, text)) for text in texts]
    longest = max(columns(printable(name, _TELLING_NAME)) for name in names)
    kept = _fitting(chosen, widths, width - longest)
    rest = sum(widths[index] + len(_GAP) for index in kept)
    for line, name in enumerate(_name_column(names, width - rest)):
        if line == 2:
            yield "-" * (columns(name) + rest)
        cells = [chosen[index].aligned(texts[index][line], widths[index]) for index in kept]
        yield _GAP.join([name, *cells]).rstrip()


def _fitting(chosen: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Return the indices of the columns to keep, leaving out the least important ones."""
    kept = list(range(len(chosen)))
    spare = sorted((index for index in kept if chosen[index].rank), key=lambda i: chosen[i].rank)
    while spare and sum(widths[index] + len(_GAP) for index in kept) > room:
        kept.remove(spare.pop())
    return kept


def _reasons(judged: Sequence[tuple[ReportRow, Verdict]], width: int) -> Iterator[str]:
    striking = [(row, found) for row, found in judged if _is_striking(row, found)]
    if striking:
        longest = max(len(f"{found.kind}{_GAP * 2}{found.reason}") for _, found in striking)
        names = _name_column([row.name for row, _ in striking], width - longest)
        kinds = max(len(found.kind) for _, found in striking)
        for name, (row, found) in zip(names, striking, strict=True):
            yield _GAP.join([found.kind.ljust(kinds), name, found.reason])
            if found.kind != "peaks" and any(size for size, _ in row.retained_by_age[1:]):
                yield " " * (kinds + columns(name) + 2 * len(_GAP)) + _by_age(row)
    # One line for all of them: at the start of a process every scope is one of these.
    if any(found.kind == "few" for _, found in judged):
        yield f"few{_GAP * 2}fewer than {MIN_CALLS} calls, which are too few to judge"


def _is_striking(row: ReportRow, found: Verdict) -> bool:
    if found.kind == "ok":
        return row.retained_bytes >= _WORTH_A_LINE and has_slowed_down(row)
    return found.kind != "few"


def _by_age(row: ReportRow) -> str:
    bands = zip(AGE_BANDS, row.retained_by_age, strict=False)
    return "by age: " + ", ".join(f"{human_bytes(size)} {age}" for age, (size, _) in bands if size)


def _name_column(names: Sequence[str], room: int) -> list[str]:
    shown = [printable(name, max(room, _NARROWEST_NAME)) for name in names]
    width = max(map(columns, shown))
    return [name + " " * (width - columns(name)) for name in shown]
