"""What the HTML report says of memory that calls retain: how it grows, and of which age it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allocmeter.renderers.html import render
from html_pages import page_of
from sample_reports import LEAK, LRU, PARSE, START, ZIP, growth, report


def page(*rows, **options):
    return page_of(render(report(*rows), **options))


def details(*rows):
    """The details of the first name."""
    return page(*rows).all("tr", **{"class": "more"})[0]


def column(found, heading):
    (table,) = found.all("table", **{"class": "figures"})
    headings = [item.all("span")[0].text for item in table.all("th", scope="col")]
    place = headings.index(heading)
    rows = table.all("tr", **{"class": "row"})
    return [row.all("td")[place - 1] for row in rows]  # the name is a heading


def test_growth_is_a_column_with_raw_figures_to_sort_by():
    cells = column(page(LEAK, LRU, PARSE, sort="name"), "growth per 1,000")
    assert [(cell.attributes["data-v"], cell.text) for cell in cells] == [
        ("1131000", "1.1 MiB"),
        ("0", "none"),
        ("-Infinity", ""),
    ]


def test_growth_is_a_column_only_where_something_grows():
    assert "growth per 1,000" not in page(LRU, PARSE, ZIP).all_text()


def test_growth_stands_with_its_interval_in_the_details():
    (found,) = [text for text in details(LEAK).all("p") if "grows" in text.text]
    assert found.text == (
        "what they retain grows by 1,131,000 bytes per 1,000 calls "
        "(95 % confidence: 1,111,000 to 1,151,000); before, by 1,131,000"
    )


def test_growth_over_too_few_calls_is_not_shown():
    assert "grows" not in details(replace(LEAK, count=63)).all_text()


def test_ages_are_a_bar_and_a_table():
    (ages,) = details(LEAK).all("div", **{"class": "ages"})
    bar = ages.all("svg")[0].all("rect")
    whole = sum(size for size, _ in LEAK.retained_by_age)
    widths = [float(part.attributes["width"].rstrip("%")) for part in bar]
    assert widths == [
        pytest.approx(100 * size / whole, rel=1e-3) for size, _ in LEAK.retained_by_age
    ]
    starts = [float(part.attributes["x"].rstrip("%")) for part in bar]
    assert starts == [pytest.approx(sum(widths[:place]), abs=0.01) for place in range(4)]
    lines = [[cell.text for cell in line.content] for line in ages.all("tr")]
    assert lines == [
        ["retained now, by age", "<10s", "10s-1m", "1m-10m", ">10m"],
        ["bytes", "12,288", "40,960", "307,200", "1,895,552"],
        ["blocks", "11", "36", "273", "1,680"],
    ]


def test_the_headings_of_the_ages_have_the_shades_of_the_bar():
    (ages,) = details(LEAK).all("div", **{"class": "ages"})
    bar, *legend = ages.all("svg")
    shades = [part.attributes["fill-opacity"] for part in bar.all("rect")]
    assert [key.all("rect")[0].attributes["fill-opacity"] for key in legend] == shades
    assert shades == sorted(set(shades))


@pytest.mark.parametrize("bands", [(), ((1, 1),), ((0, 0),) * 4, ((1, 1),) * 5])
def test_ages_that_are_not_known_or_of_nothing_are_left_out(bands):
    assert "age" not in details(replace(LEAK, retained_by_age=bands)).all_text()


def test_a_cache_that_filled_up_says_so():
    assert details(LRU).all("p")[0].text == (
        "filled up (grew 488 KiB per 1,000 calls before): 195 KiB still alive after 2,000 calls"
    )


def test_what_shrinks_is_shown_below_zero():
    (found,) = [
        text
        for text in details(replace(START, count=64, retained_growth=growth(-0.5))).all("p")
        if "grows" in text.text
    ]
    assert "by -500 bytes" in found.text
