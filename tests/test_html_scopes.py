"""The table of the HTML report: its rows, what sorting reads, and the figures folded in."""

from __future__ import annotations

import re

import pytest

from allocmeter.renderers.html import render
from allocmeter.report_order import SORT_KEYS
from html_pages import page_of
from sample_reports import CACHE, PARSE, START, ZIP, endpoint, report, row

SEARCH = endpoint("GET /search", errors=3, cancelled=1, native=0.25)
ALL = report(SEARCH, CACHE, PARSE, ZIP, START)


def table_of(some_report, **options):
    (table,) = page_of(render(some_report, **options)).all("table", **{"class": "figures"})
    return table


def headings_of(table):
    return [heading.all("span")[0].text for heading in table.all("th", scope="col")]


def names_of(table):
    return [summary.text for summary in table.all("summary")]


def cells_of(table, name):
    (line,) = [line for line in table.all("tr", **{"class": "row"}) if names_of(line) == [name]]
    return dict(zip(headings_of(table)[1:], line.all("td"), strict=True))


def details_of(table, name):
    (body,) = [body for body in table.all("tbody") if names_of(body) == [name]]
    (details,) = body.all("tr", **{"class": "more"})
    return details


def test_the_table_has_a_column_for_each_figure():
    assert headings_of(table_of(ALL)) == [
        *("scope", "verdict", "calls", "failed", "allocated", "native"),
        *("p50 by call", "p95 by call", "max by call", "blocks", "peak", "retained"),
    ]


def test_failures_and_native_memory_have_columns_only_where_there_are_any():
    assert not {"failed", "native"} & set(headings_of(table_of(report(PARSE, ZIP))))


def test_groups_stand_above_their_columns():
    table = table_of(ALL)
    groups = table.all("thead")[0].all("tr")[0].all("td")
    assert [(cell.all_text(), cell.attributes["colspan"]) for cell in groups] == [
        *(("", "4"), ("allocated", "2"), ("allocated by a call", "3")),
        *(("blocks", "1"), ("peak", "1"), ("retained", "1")),
    ]


def test_figures_are_shown_in_units():
    cells = cells_of(table_of(ALL), "GET /search")
    assert {name: cell.all_text() for name, cell in cells.items()} == {
        "verdict": "ok",
        "calls": "2,000",
        "failed": "4",
        "allocated": "1.9 MiB",
        "native": "488 KiB",
        "p50 by call": "1,000 B",
        "p95 by call": "1,000 B",
        "max by call": "1,000 B",
        "blocks": "24,000",
        "peak": "500 B",
        "retained": "0 B",
    }


def test_sorting_reads_the_raw_figures():
    table = table_of(ALL)
    raw = {
        name: float(cell.attributes.get("data-v") or cell.text.replace(",", ""))
        for name, cell in cells_of(table, "GET /cache").items()
    }
    assert raw == {
        "verdict": 3,
        "calls": 2000,
        "failed": 0,
        "allocated": CACHE.bytes_allocated.sum,
        "native": -1,  # below every figure
        "p50 by call": 5120,
        "p95 by call": 5120,
        "max by call": 5120,
        "blocks": 24_000,
        "peak": 500,
        "retained": 1128 * 2000,
    }


def test_verdicts_sort_by_urgency():
    table = table_of(ALL)
    order = sorted(
        names_of(table),
        key=lambda name: -float(cells_of(table, name)["verdict"].attributes["data-v"]),
    )
    assert order == ["GET /cache", "GET /zip", "GET /parse", "GET /search", "start"]


@pytest.mark.parametrize("key", SORT_KEYS)
def test_the_page_says_by_which_column_its_rows_stand(key):
    table = table_of(ALL, sort=key)
    directions = [heading.attributes.get("aria-sort") for heading in table.all("th", scope="col")]
    place = directions.index("ascending" if key == "name" else "descending")
    assert directions.count(None) == len(directions) - 1
    assert headings_of(table)[place] == {
        "bytes": "allocated",
        "allocations": "blocks",
        "name": "scope",
    }.get(key, key)
    if place:
        figures = [
            float(cell.attributes.get("data-v") or cell.text.replace(",", ""))
            for cell in (
                cells_of(table, name)[headings_of(table)[place]] for name in names_of(table)
            )
        ]
        assert figures == sorted(figures, reverse=True)
    else:
        assert names_of(table) == sorted(names_of(table))


def test_rows_beyond_the_limit_are_summed_up_and_still_judged():
    page = page_of(render(ALL, max_rows=1))
    assert names_of(page) == ["GET /parse"]
    (scopes,) = page.all("section", **{"class": "scopes"})
    assert scopes.all("p")[-1].text == "and 4 more, which allocated 12.8 MiB in all"
    (findings,) = page.all("section", **{"class": "findings"})
    assert "GET /cache" in findings.all_text()
    assert findings.all("a") == []


def test_native_memory_that_was_not_seen_is_not_zero():
    assert cells_of(table_of(ALL), "GET /parse")["native"].text == "not seen"


def test_the_bar_is_the_share_with_its_native_part():
    whole = SEARCH.bytes_allocated.sum * 2
    table = table_of(report(SEARCH, process={"bytes_allocated": whole}))
    bars = cells_of(table, "GET /search")["allocated"].all("rect")
    assert [bar.attributes for bar in bars] == [
        {"width": "50%"},
        {"class": "native", "width": "12.5%"},
    ]


def test_the_details_hold_every_figure_exactly():
    figures = endpoint(
        "checkout",
        errors=3,
        cancelled=1,
        allocated=(123_456, 234_567, 345_678),
        kept=7,
        native=0.5,
        late_bytes_allocated=999,
    )
    details = details_of(table_of(report(figures)), "checkout")
    lines = [[cell.text for cell in line.content] for line in details.all("table")[0].all("tr")]
    assert lines == [
        ["of a call", "sum", "min", "mean", "p50", "p95", "p99", "max"],
        ["bytes allocated", "246,912,000", "0", *["123,456"] * 2, *["234,567"] * 2, "345,678"],
        ["blocks allocated", "24,000", "0", "12", "12", "12", "12", "12"],
        ["peak bytes", "1,000,000", "0", "500", "500", "500", "500", "500"],
        ["bytes kept at its end", "14,000", "0", "7", "7", "7", "7", "7"],
    ]
    reason, totals = details.all("p")
    assert reason.text.startswith("13.7 KiB still alive after 2,000 calls;")
    assert totals.text == (
        "retained now: 14,000 bytes in 2,000 blocks; allocated after the end: 999 bytes; "
        "native: 123,456,000 bytes in 2,000 blocks; failed: 3, cancelled: 1"
    )


def test_what_a_report_does_not_carry_is_left_out_of_the_details():
    details = details_of(table_of(report(row("a", retained=None, histogram=()))), "a")
    assert "kept" not in details.all_text()
    assert details.all("figure") == []


def test_a_long_name_is_cut_in_its_row_and_whole_in_the_details():
    name = "GET /" + "long/" * 100
    table = table_of(report(endpoint(name)))
    (shown,) = names_of(table)
    assert (len(shown), shown[-1]) == (120, "…")
    assert details_of(table, shown).all("p")[0].text == name


def test_a_name_without_an_end_does_not_fill_the_page():
    assert len(render(report(endpoint("x" * 10**7)))) < 100_000


def test_cards_label_the_figures_as_the_columns_do():
    (style,) = page_of(render(ALL)).all("style")
    labels = re.findall(r'nth-child\((\d+)\)::before\{content:"(.*?)"', style.text)
    expected = enumerate(headings_of(table_of(ALL)), 1)
    assert labels == [(str(place), label) for place, label in expected][2:]
