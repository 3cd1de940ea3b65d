"""A report as an aligned text table for terminals and logs, without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from allocmeter.units import human_bytes, human_count
from allocmeter.verdicts import MIN_CALLS, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allocmeter.reports import Report, ReportRow
    from allocmeter.verdicts import Verdict

DEFAULT_WIDTH: Final = 116

_NARROWEST_NAME: Final = 12
_GAP: Final = "  "
_ELLIPSIS: Final = "…"
_HEADINGS: Final = (
    ("", "", *["allocated"] * 3, "allocations", "peak", "retained", ""),
    ("calls", "failed", "p50", "p95", "max", "p50", "max", "now", "verdict"),
)
_FAILED: Final = 1
# Facts of the backend that are zero as long as every block was counted.
_INCOMPLETE: Final = (
    ("gaps", "another tool removed the allocator hooks, so blocks may be missing; times: {:,}"),
    ("unmeasured_scopes", "the core's table was full; scopes without figures: {:,}"),
)
_EMPTY: Final = (
    'No named scope has closed yet. Put the work in `async with measure("name"):` or in\n'
    '`with measure("name"):`, or decorate it with `@measured`, and ask again.'
)


def render(report: Report, *, max_rows: int | None = None, width: int | None = None) -> str:
    """Return the report as text: facts, a table, and the reasons for what stands out.

    Names are shown as `printable` gives them, so a hostile one can neither move the cursor
    nor forge a line.

    Args:
        report: what to show.
        max_rows: rows of the table, `None` for all; the rest is summed up in a line, and what
            stands out in it is still named.
        width: columns of the terminal, `None` for 116; names are cut to fit, figures never.

    Raises:
        ValueError: `max_rows` or `width` is below 1.
    """
    for option, value in (("max_rows", max_rows), ("width", width)):
        if value is not None and value < 1:
            raise ValueError(f"{option} is {value}; give 1 or more, or None for the default")
    columns = DEFAULT_WIDTH if width is None else width
    lines = [*(printable(fact, columns) for fact in _facts(report)), ""]
    if not report.rows:
        return "\n".join([*lines, _EMPTY])
    judged = [(row, verdict(row)) for row in report.rows]
    lines += _table(judged[:max_rows], columns)
    if hidden := report.rows[len(judged[:max_rows]) :]:
        total = human_bytes(sum(row.bytes_allocated.sum for row in hidden))
        lines.append(f"and {human_count(len(hidden))} more, which allocated {total} in all")
    if reasons := list(_reasons(judged, columns)):
        lines += ["", *reasons]
    return "\n".join(lines)


def printable(text: str, width: int) -> str:
    """Return text in at most `width` columns of a terminal, safe to print.

    Control characters, escape sequences, line ends, invisible and direction-changing
    characters and lone surrogates are escaped as Python writes them; what is too long ends
    in an ellipsis.
    """
    pieces = [
        character if character.isprintable() else character.encode("unicode_escape").decode()
        # What is cut off anyway is not looked at: a name may be of any length.
        for character in text[: width + 1]
    ]
    taken = sum(map(_columns, pieces))
    if taken <= width:
        return "".join(pieces)
    while taken >= width:
        taken -= _columns(pieces.pop())
    return "".join(pieces) + _ELLIPSIS


def _columns(text: str) -> int:
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _facts(report: Report) -> Iterator[str]:
    facts = [f"allocmeter {report.allocmeter}", report.python]
    domains = report.backend.get("domains")
    if isinstance(domains, dict):
        why_not = cast("dict[str, object]", domains)
        seen = ", ".join(name for name in why_not if not why_not[name])
        facts.append(f"domains: {seen or 'none'}")
    if report.created_at is not None:
        facts.append(report.created_at)
    # The longest comes last: a narrow terminal cuts it first.
    yield " | ".join([*facts, report.platform])
    for fact, meaning in _INCOMPLETE:
        times = report.backend.get(fact)
        if isinstance(times, int) and times > 0:
            yield f"incomplete: {meaning.format(times)}"


def _table(judged: Sequence[tuple[ReportRow, Verdict]], width: int) -> Iterator[str]:
    lines = [*_HEADINGS, *(_figures(row, judgement) for row, judgement in judged)]
    if not any(row.errors or row.cancelled for row, _ in judged):
        lines = [line[:_FAILED] + line[_FAILED + 1 :] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rest = sum(widths) + len(_GAP) * len(widths)
    names = _name_column(["", "scope", *(row.name for row, _ in judged)], width - rest)
    for index, (name, line) in enumerate(zip(names, lines, strict=True)):
        if index == len(_HEADINGS):
            yield "-" * (_columns(name) + rest)
        *figures, judgement = map(str.rjust, line, widths)
        yield _GAP.join([name, *figures, judgement.strip()]).rstrip()


def _figures(row: ReportRow, judgement: Verdict) -> tuple[str, ...]:
    return (
        human_count(row.count),
        human_count(row.errors + row.cancelled),
        human_bytes(row.bytes_allocated.p50),
        human_bytes(row.bytes_allocated.p95),
        human_bytes(row.bytes_allocated.max),
        human_count(row.allocations.p50),
        human_bytes(row.peak_bytes.max),
        human_bytes(row.retained_bytes),
        judgement.kind,
    )


def _reasons(judged: Sequence[tuple[ReportRow, Verdict]], width: int) -> Iterator[str]:
    striking = [(row, found) for row, found in judged if found.kind in ("leaks", "peaks")]
    if striking:
        longest = max(len(f"{found.kind}{_GAP * 2}{found.reason}") for _, found in striking)
        names = _name_column([row.name for row, _ in striking], width - longest)
        for name, (_, found) in zip(names, striking, strict=True):
            yield _GAP.join([found.kind, name, found.reason])
    # One line for all of them: at the start of a process every scope is one of these.
    if any(found.kind == "few" for _, found in judged):
        yield f"few{_GAP * 2}fewer than {MIN_CALLS} calls, which are too few to judge"


def _name_column(names: Sequence[str], room: int) -> list[str]:
    shown = [printable(name, max(room, _NARROWEST_NAME)) for name in names]
    width = max(map(_columns, shown))
    return [name + " " * (width - _columns(name)) for name in shown]
