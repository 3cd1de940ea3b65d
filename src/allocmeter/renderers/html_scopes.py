"""The table of an HTML report: a line for each name, and all its figures folded in below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from allocmeter.renderers.html_histogram import histogram
from allocmeter.renderers.html_retained import ages, growth
from allocmeter.renderers.markup import exact, safe
from allocmeter.units import human_bytes
from allocmeter.verdicts import grows, judged_growth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allocmeter.renderers.summary import Summary
    from allocmeter.reports import Distribution, ReportRow
    from allocmeter.verdicts import Verdict

_LONGEST_NAME: Final = 120
_LONGEST_FULL_NAME: Final = 2_000
_URGENCY: Final = {"leaks": 3, "peaks": 2, "ok": 1, "few": 0}
_FIGURES: Final = ("sum", "min", "mean", "p50", "p95", "p99", "max")


class _Column(NamedTuple):
    """One column.

    `group` and `heading` stand above it in the table, `label` where there is no room for both;
    `key` is the sort key that it stands for.
    """

    group: str
    heading: str
    label: str
    key: str = ""


_NAME: Final = _Column("", "scope", "scope", "name")
_FAILED: Final = _Column("", "failed", "failed")
_NATIVE: Final = _Column("allocated", "native", "native")
_GROWTH: Final = _Column("retained", "per 1,000 calls", "growth per 1,000")


def _columns(rows: Sequence[ReportRow]) -> list[_Column]:
    found = [
        _NAME,
        _Column("", "verdict", "verdict"),
        _Column("", "calls", "calls", "calls"),
        _FAILED,
        _Column("allocated", "in all", "allocated", "bytes"),
        _NATIVE,
        _Column("allocated by a call", "p50", "p50 by call"),
        _Column("allocated by a call", "p95", "p95 by call"),
        _Column("allocated by a call", "max", "max by call"),
        _Column("blocks", "in all", "blocks", "allocations"),
        _Column("peak", "max", "peak", "peak"),
        _Column("retained", "now", "retained", "retained"),
        _GROWTH,
    ]
    if not any(row.errors or row.cancelled for row in rows):
        found.remove(_FAILED)
    if all(row.native_bytes_allocated is None for row in rows):
        found.remove(_NATIVE)
    if not any(map(grows, rows)):
        found.remove(_GROWTH)
    return found


def card_labels(rows: Sequence[ReportRow]) -> str:
    """Return the style that labels each figure where the table of these is shown as cards."""
    rules = [
        f'.row>:nth-child({place})::before{{content:"{column.label}"}}'
        for place, column in enumerate(_columns(rows), 1)
        if place > 2  # name and verdict speak for themselves
    ]
    return f"@media (max-width:760px){{{''.join(rules)}}}"


def table(
    judged: Sequence[tuple[ReportRow, Verdict]], summary: Summary, sort: str
) -> Iterator[str]:
    """Return the table of these rows, which stand in the order of the sort key."""
    columns = _columns([row for row, _ in judged])
    yield '<table class="figures"><thead>'
    yield f'<tr aria-hidden="true">{"".join(_groups(columns))}</tr><tr>'
    for column in columns:
        direction = ""
        if column.key == sort:
            direction = f' aria-sort="{"ascending" if column is _NAME else "descending"}"'
        yield f'<th scope="col"{direction}><span>{column.label}</span>'
        yield f'<span aria-hidden="true">{column.heading}</span></th>'
    yield "</tr></thead>"
    for index, (row, found) in enumerate(judged):
        yield f'<tbody id="s{index}"><tr class="row">{_name(row)}'
        yield "".join(_cells(row, found, summary, columns))
        yield f'</tr><tr class="more"><td colspan="{len(columns)}"><div>'
        yield from _details(row, found)
        yield "</div></td></tr></tbody>"
    yield "</table>"


def _groups(columns: Sequence[_Column]) -> Iterator[str]:
    start = 0
    for index in range(1, len(columns) + 1):
        if index == len(columns) or columns[index].group != columns[start].group:
            group, span = columns[start].group, index - start
            yield f'<td colspan="{span}">{f"<span>{group}</span>" if group else ""}</td>'
            start = index


def _name(row: ReportRow) -> str:
    # Qualified names break where a part of them ends.
    name = safe(row.name, _LONGEST_NAME).replace(".", ".<wbr>") or "<i>no name</i>"
    # Folding needs no script: the style shows the next line of the table while this is open.
    return f'<th scope="row"><details><summary>{name}</summary></details></th>'


def _cells(
    row: ReportRow, found: Verdict, summary: Summary, columns: Sequence[_Column]
) -> Iterator[str]:
    spread, native = row.bytes_allocated, row.native_bytes_allocated
    yield _cell(_URGENCY[found.kind], badge(found))
    yield f"<td>{exact(row.count)}</td>"
    if _FAILED in columns:
        yield f"<td>{exact(row.errors + row.cancelled)}</td>"
    yield _cell(spread.sum, human_bytes(spread.sum) + _share(row, summary))
    if _NATIVE in columns:
        yield _cell(-1, "not seen") if native is None else _cell(native, human_bytes(native))
    for size in (spread.p50, spread.p95, spread.max):
        yield _cell(size, human_bytes(size))
    yield f"<td>{exact(row.allocations.sum)}</td>"
    for size in (row.peak_bytes.max, row.retained_bytes):
        yield _cell(size, human_bytes(size))
    if _GROWTH in columns:
        yield _growth_cell(row)


def _growth_cell(row: ReportRow) -> str:
    found = judged_growth(row)
    if found is None:
        return '<td data-v="-Infinity"></td>'
    if not found.is_significant:
        return _cell(0, "none")
    return _cell(found.bytes_per_1000_calls, human_bytes(found.bytes_per_1000_calls))


def _cell(value: float, content: str) -> str:
    return f'<td data-v="{value:.0f}">{content}</td>'


def badge(found: Verdict) -> str:
    """Return a verdict as it stands in tables and lists; only what stands out is marked."""
    if found.kind in ("leaks", "peaks"):
        return f'<b class="{found.kind}">{found.kind}</b>'
    return found.kind


def _share(row: ReportRow, summary: Summary) -> str:
    """Return a bar of the row's share of all bytes, its native part in another colour."""
    size = row.bytes_allocated.sum
    # What is more than nothing can be seen.
    whole = max(summary.share(size), 0.015 if size else 0)
    native = whole * min(row.native_bytes_allocated or 0, size) / (size or 1)
    parts = f'<rect width="{100 * whole:.3g}%"/>'
    if native:
        parts += f'<rect class="native" width="{100 * native:.3g}%"/>'
    return f"<svg>{parts}</svg>"


def _details(row: ReportRow, found: Verdict) -> Iterator[str]:
    if len(row.name) > _LONGEST_NAME:
        yield f'<p class="name">{safe(row.name, _LONGEST_FULL_NAME)}</p>'
    yield f"<p>{safe(found.reason, 300)}</p>"
    yield from histogram(row)
    quantities = [
        ("bytes allocated", row.bytes_allocated),
        ("blocks allocated", row.allocations),
        ("peak bytes", row.peak_bytes),
        ("bytes kept at its end", row.retained),
    ]
    headings = "".join(f"<th>{figure}</th>" for figure in _FIGURES)
    yield f"<table><tr><th>of a call</th>{headings}</tr>"
    yield "".join(_line(label, spread) for label, spread in quantities if spread is not None)
    yield f"</table><p>{'; '.join(_totals(row))}</p>"
    yield from growth(row)
    yield from ages(row)


def _line(label: str, spread: Distribution) -> str:
    figures = "".join(f"<td>{exact(getattr(spread, figure))}</td>" for figure in _FIGURES)
    return f"<tr><th>{label}</th>{figures}</tr>"


def _totals(row: ReportRow) -> Iterator[str]:
    yield _total("retained now", row.retained_bytes, row.retained_allocations)
    if row.late_bytes_allocated:
        yield f"allocated after the end: {exact(row.late_bytes_allocated)} bytes"
    if row.native_bytes_allocated is not None:
        yield _total("native", row.native_bytes_allocated, row.native_allocations)
    if row.errors or row.cancelled:
        yield f"failed: {exact(row.errors)}, cancelled: {exact(row.cancelled)}"


def _total(what: str, size: int, blocks: int | None) -> str:
    return f"{what}: {exact(size)} bytes" + (
        "" if blocks is None else f" in {exact(blocks)} blocks"
    )
