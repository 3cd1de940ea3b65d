"""A report as one HTML file that needs nothing else: no network, no fonts, no libraries.

Styles and scripts stand in the file and are allowed by their hashes, so the page's policy keeps
out everything else, were a name ever to get past the escaping. The file is pure ASCII: no
transport can damage it.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from allocmeter.renderers import html_scopes, html_timeline
from allocmeter.renderers.markup import safe, with_exact
from allocmeter.renderers.summary import summary_of
from allocmeter.report_order import ordered
from allocmeter.units import human_bytes, human_count
from allocmeter.verdicts import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allocmeter.renderers.summary import Summary
    from allocmeter.reports import Report, ReportRow
    from allocmeter.verdicts import Verdict

_LONGEST_FACT: Final = 300
_MOST_FINDINGS: Final = 12
_EMPTY: Final = (
    "<p>No named scope has closed. Every asyncio or trio task gets a scope of its own by "
    "<code>allocmeter run</code> or <code>instrument_tasks()</code>; other work gets one by "
    "<code>with measure(&quot;name&quot;):</code> or <code>@measured</code>.</p>"
)
_NOTES: Final = (
    "Bytes are those that were asked for. The bar below a scope&#39;s bytes is its share of all, "
    "with the native part in a second colour. A scope contains the scopes and tasks started in it, "
    "so shares may add up to more than the whole. A peak is the most that was alive at once. "
    "What is retained was alive when the report was made; its age is the time since its scope "
    "ended, and its growth is that over the latest half of the calls. Percentiles may be 1.6 % "
    "off; sums, smallest and largest figures are exact."
)


def render(report: Report, *, max_rows: int | None = None, sort: str = "bytes") -> str:
    """Return the report as an HTML document in ASCII.

    Names are escaped, and cut where they are longer than a line.

    Args:
        report: what to show.
        max_rows: rows of the table, `None` for all; the rest is summed up in a line, and what
            stands out in it is still named.
        sort: how the rows stand until a reader sorts them; one of `report_order.SORT_KEYS`.

    Raises:
        ValueError: `max_rows` is below 1, or `sort` is unknown.
    """
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"max_rows is {max_rows}; give 1 or more, or None for all")
    summary = summary_of(report)
    judged = [(row, verdict(row)) for row in ordered(report.rows, sort)]
    body = "\n".join(
        [
            *_header(report, summary),
            "<main>",
            *_tiles(report, summary),
            *_findings(judged, max_rows),
            *html_timeline.section(report.timeline),
            *_scopes(judged, max_rows, summary, sort),
            "</main>",
            f"<footer><p>{_NOTES}</p></footer>",
        ]
    )
    style = _resource("report.css") + html_scopes.card_labels([row for row, _ in judged[:max_rows]])
    script = _resource("report.js")
    document = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{safe(report.program or "allocmeter report", 80)}</title>
<style>{style}</style>
</head>
<body>
{body}
<script>{script}</script>
</body>
</html>
"""
    return document.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _resource(name: str) -> str:
    return (files("allocmeter.renderers") / name).read_text(encoding="ascii")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _header(report: Report, summary: Summary) -> Iterator[str]:
    program = report.program
    title = "Memory by scope" if program is None else f"<code>{safe(program, 500)}</code>"
    facts = [f"allocmeter {report.allocmeter}", report.python, report.platform]
    if summary.domains is not None:
        facts.insert(1, f"domains: {', '.join(summary.domains) or 'none'}")
    if report.created_at is not None:
        facts.insert(0, report.created_at)
    yield f'<header><p class="brand">allocmeter report</p><h1>{title}</h1>'
    yield f"<ul>{''.join(f'<li>{safe(fact, _LONGEST_FACT)}</li>' for fact in facts)}</ul>"
    for reason in summary.incomplete:
        yield f'<p class="warning"><strong>Incomplete:</strong> {safe(reason, _LONGEST_FACT)}</p>'
    yield "</header>"


def _tiles(report: Report, summary: Summary) -> Iterator[str]:
    tiles = [
        ("Allocated", summary.bytes_allocated, _blocks(summary.allocations)),
        ("Native part", summary.native_bytes_allocated, _blocks(summary.native_allocations)),
        ("Peak", summary.peak_bytes, "alive at once"),
        ("Still alive", summary.live_bytes, _blocks(summary.live_allocations)),
        ("Peak RSS", summary.peak_rss_bytes, "resident set size"),
    ]
    yield '<dl class="tiles">'
    for term, size, note in tiles:
        if size is not None:
            yield f"<div><dt>{term}</dt><dd>{with_exact(size)}<small>{note}</small></dd></div>"
    scopes, calls = len(report.rows), sum(row.count for row in report.rows)
    names = f"closed, of {human_count(scopes)} {'name' if scopes == 1 else 'names'}"
    yield f"<div><dt>Scopes</dt><dd>{human_count(calls)}<small>{names}</small></dd></div>"
    yield "</dl>"


def _blocks(count: int | None) -> str:
    return "" if count is None else f"{human_count(count)} blocks"


def _findings(judged: Sequence[tuple[ReportRow, Verdict]], max_rows: int | None) -> Iterator[str]:
    striking = [
        (index, row, found)
        for index, (row, found) in enumerate(judged)
        if found.kind in ("leaks", "peaks")
    ]
    if not striking:
        return
    striking.sort(key=lambda found: found[2].kind)  # a leak is worse than a peak
    yield '<section class="findings"><h2>What stands out</h2><ul>'
    for index, row, found in striking[:_MOST_FINDINGS]:
        name = f"<code>{safe(row.name, 100)}</code>"
        if max_rows is None or index < max_rows:
            name = f'<a href="#s{index}">{name}</a>'
        reason = safe(found.reason, _LONGEST_FACT)
        yield f"<li>{html_scopes.badge(found)} {name} <span>{reason}</span></li>"
    if (more := len(striking) - _MOST_FINDINGS) > 0:
        yield f"<li>and {human_count(more)} more; sort the table by verdict to see them</li>"
    yield "</ul></section>"


def _scopes(
    judged: Sequence[tuple[ReportRow, Verdict]],
    max_rows: int | None,
    summary: Summary,
    sort: str,
) -> Iterator[str]:
    yield '<section class="scopes"><div class="bar"><h2>Scopes</h2>'
    yield '<p class="filter" hidden><label for="filter">Filter</label>'
    yield '<input id="filter" type="search" placeholder="name or verdict" autocomplete="off">'
    yield '<span role="status"></span></p></div>'
    if judged:
        yield from html_scopes.table(judged[:max_rows], summary, sort)
    else:
        yield _EMPTY
    if hidden := judged[len(judged[:max_rows]) :]:
        total = human_bytes(sum(row.bytes_allocated.sum for row, _ in hidden))
        yield f"<p>and {human_count(len(hidden))} more, which allocated {total} in all</p>"
    yield "</section>"
