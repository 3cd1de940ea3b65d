"""The text table: its exact look, hostile names, limits, and the units in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.renderers.text import printable, render
from allocmeter.reports import Distribution, Report, ReportRow
from allocmeter.units import human_bytes, human_count

KIB = 1024
MIB = 1024 * KIB


def spread(median, p95=None, largest=None, *, count):
    p95 = median if p95 is None else p95
    largest = p95 if largest is None else largest
    return Distribution(
        sum=int(median * count), min=0, mean=median, p50=median, p95=p95, p99=p95, max=largest
    )


def row(name, count=2000, *, allocated=(1000,), blocks=12, peak=(500,), kept=0, **changes):
    fields = {
        "name": name,
        "count": count,
        "errors": 0,
        "cancelled": 0,
        "bytes_allocated": spread(*allocated, count=count),
        "allocations": spread(blocks, count=count),
        "peak_bytes": spread(*peak, count=count),
        "retained_bytes": kept * count,
        "retained_allocations": count if kept else 0,
        "late_bytes_allocated": 0,
        "retained": spread(kept, count=count),
    }
    return ReportRow(**{**fields, **changes})


def report(*rows, **changes):
    fields = {
        "rows": rows,
        "allocmeter": "0.1.0",
        "python": "cpython 3.12.4",
        "platform": "Linux x86_64",
        "backend": {"domains": {"python": "", "native": "not preloaded"}, "gaps": 0},
        "process": {},
        "created_at": None,
    }
    return Report(**{**fields, **changes})


PARSE = row(
    "GET /parse", allocated=(340 * KIB, 1.5 * MIB, 2 * MIB), blocks=4210.4, peak=(99 * KIB,)
)
CACHE = row("GET /cache", allocated=(5 * KIB,), kept=1128)
ZIP = row("GET /zip", 400, allocated=(3 * KIB,), peak=(2 * KIB, 3 * KIB, 24 * MIB))
START = row("start", 1, allocated=(100,))


def test_a_small_report_looks_like_this():
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64

                   allocated  allocated  allocated  allocations      peak  retained
scope       calls        p50        p95        max          p50       max       now  verdict
--------------------------------------------------------------------------------------------
GET /parse  2,000    340 KiB    1.5 MiB    2.0 MiB        4,210  99.0 KiB       0 B  ok
GET /cache  2,000    5.0 KiB    5.0 KiB    5.0 KiB           12     500 B   2.2 MiB  leaks
GET /zip      400    3.0 KiB    3.0 KiB    3.0 KiB           12  24.0 MiB       0 B  peaks
start           1      100 B      100 B      100 B           12     500 B       0 B  few

leaks  GET /cache  keeps 1.1 KiB a call: 2.2 MiB still alive after 2,000 calls
peaks  GET /zip    peaks at 24.0 MiB, 12,288 times as much; the median call at 2.0 KiB
few    fewer than 20 calls, which are too few to judge"""
    assert render(report(START, CACHE, ZIP, PARSE)) == expected


def test_failures_get_a_column_when_there_are_any():
    failing = row("GET /parse", errors=3, cancelled=2)
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64

                           allocated  allocated  allocated  allocations   peak  retained
scope       calls  failed        p50        p95        max          p50    max       now  verdict
-------------------------------------------------------------------------------------------------
GET /parse  2,000       5    1,000 B    1,000 B    1,000 B           12  500 B       0 B  ok"""
    assert render(report(failing)) == expected


def test_a_report_without_rows_says_how_to_fill_it():
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64

No named scope has closed yet. Put the work in `async with measure("name"):` or in
`with measure("name"):`, or decorate it with `@measured`, and ask again."""
    assert render(report()) == expected


def test_the_facts_stand_in_the_first_line():
    plain = report(
        backend={"domains": {"python": "removed"}}, created_at="2026-01-02T03:04:05+00:00"
    )
    assert render(plain).splitlines()[0] == (
        "allocmeter 0.1.0 | cpython 3.12.4 | domains: none"
        " | 2026-01-02T03:04:05+00:00 | Linux x86_64"
    )


def test_a_backend_that_names_no_domains_is_not_given_any():
    first = render(report(backend={})).splitlines()[0]
    assert first == "allocmeter 0.1.0 | cpython 3.12.4 | Linux x86_64"


def test_a_report_that_missed_something_says_so():
    text = render(report(PARSE, backend={"gaps": 2, "unmeasured_scopes": 1500}))
    assert text.splitlines()[1:4] == [
        "incomplete: another tool removed the allocator hooks, so blocks may be missing; times: 2",
        "incomplete: the core's table was full; scopes without figures: 1,500",
        "",
    ]


@pytest.mark.parametrize("gaps", [0, -1, None, "2", [2]])
def test_a_report_that_missed_nothing_does_not(gaps):
    assert "incomplete" not in render(report(PARSE, backend={"gaps": gaps}))


def test_rows_beyond_the_limit_are_summed_up_and_still_judged():
    text = render(report(PARSE, CACHE, ZIP, START), max_rows=1)
    assert "and 3 more, which allocated 10.9 MiB in all" in text
    table, reasons = text.split("\n\n")[1:]
    assert "/parse" in table
    assert "/cache" not in table
    assert "/cache" in reasons
    assert "/zip" in reasons


def test_a_limit_that_is_not_reached_leaves_no_trace():
    assert render(report(PARSE, CACHE), max_rows=2) == render(report(PARSE, CACHE))


@pytest.mark.parametrize("option", ["max_rows", "width"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_below_one_is_refused(option, value):
    with pytest.raises(ValueError, match=f"{option} is {value}"):
        render(report(PARSE), **{option: value})


def test_long_names_are_cut_to_the_width():
    text = render(report(row("GET /" + "long/" * 1000, kept=100), START), width=100)
    assert max(map(len, text.splitlines())) <= 100
    assert "long/long" in text
    assert "…" in text


def test_figures_are_not_cut_when_the_terminal_is_narrow():
    text = render(report(row("GET /" + "long/" * 1000, kept=100)), width=20)
    assert "leaks" in text.splitlines()[-3]
    assert "GET /long/l…  2,000" in text


def test_the_usual_table_fits_a_hundred_columns():
    assert max(map(len, render(report(PARSE, CACHE, ZIP, START)).splitlines())) <= 100


def test_wide_characters_keep_the_columns_aligned():
    narrow, wide = render(report(row("日本語"), row("abcdef"))).splitlines()[5:]
    assert narrow.startswith("abcdef  2,000 ")
    assert wide.startswith("日本語  2,000 ")


HOSTILE = [
    "\x1b[2J\x1b[31mred",
    "a\nleaks  GET /innocent",
    "tab\tand\rreturn",
    "null\x00bell\x07\x7f",
    "c1 \x9b31m",
    "rtl \u202egpj.exe",
    "zero\u200bwidth",
    "line\u2028separator",
    "surrogate \ud800",
    "bom \ufeff",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_escaped_wherever_it_appears(name):
    text = render(report(row(name, kept=100), PARSE))
    safe = render(report(row("name", kept=100), PARSE))
    assert len(text.splitlines()) == len(safe.splitlines())
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode()


def test_hostile_facts_are_escaped_as_well():
    text = render(report(platform="x\x1b[31m\n", backend={"domains": {"\x07": ""}}))
    assert text.splitlines()[0] == (
        r"allocmeter 0.1.0 | cpython 3.12.4 | domains: \x07 | x\x1b[31m\n"
    )


@given(st.text(st.characters()), st.integers(min_value=1, max_value=40))
def test_printable_text_is_printable_and_fits(text, width):
    shown = printable(text, width)
    assert shown.isprintable()
    assert len(shown) <= width
    shown.encode()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_plain_text_that_fits_is_left_alone(text):
    assert printable(text, 40) == text


def test_a_cut_may_fall_into_a_wide_character():
    assert printable("日本語", 6) == "日本語"
    assert printable("日本語", 5) == "日本…"
    assert printable("日本語", 4) == "日…"
    assert printable("日本語", 1) == "…"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1.5, "1.5 B"),
        (-0.01, "0.0 B"),
        (1023, "1,023 B"),
        (1023.6, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1128, "1.1 KiB"),
        (99.94 * KIB, "99.9 KiB"),
        (99.96 * KIB, "100 KiB"),
        (1023.4 * KIB, "1,023 KiB"),
        (1023.9 * KIB, "1.0 MiB"),
        (24 * MIB, "24.0 MiB"),
        (-24 * MIB, "-24.0 MiB"),
        (3 * 1024 * MIB, "3.0 GiB"),
        (2 * 1024 * 1024 * MIB, "2.0 TiB"),
        (2048 * 1024 * 1024 * MIB, "2,048 TiB"),
    ],
)
def test_bytes_in_the_unit_that_fits(size, text):
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (2000, "2,000"),
        (-2000, "-2,000"),
        (12.0, "12"),
        (12.5, "12.5"),
        (99.97, "100"),
        (4210.4, "4,210"),
        (-0.0, "0"),
    ],
)
def test_counts_in_groups_of_three(count, text):
    assert human_count(count) == text


@given(st.integers(min_value=-(2**64), max_value=2**64))
def test_a_size_in_units_is_the_size_to_two_digits(size):
    figure, unit = human_bytes(size).split()
    factor = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert float(figure.replace(",", "")) * factor == pytest.approx(size, rel=0.05)
