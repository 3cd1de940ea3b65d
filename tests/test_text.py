"""The text table: its exact look, hostile names, limits, and what it leaves out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter.renderers.text import render
from allocmeter.report_order import SORT_KEYS
from report_strategies import reports
from sample_reports import (
    CACHE,
    HOSTILE_NAMES,
    PARSE,
    START,
    TRACKED,
    ZIP,
    endpoint,
    report,
)


def test_a_small_report_looks_like_this():
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64

                   allocated  share of  allocated  allocated  allocated  allocations      peak  retained
scope       calls     in all  bytes           p50        p95        max       in all       max       now  verdict
-----------------------------------------------------------------------------------------------------------------
GET /parse  2,000    664 MiB  ███████▉    340 KiB    1.5 MiB    2.0 MiB    8,420,800  99.0 KiB       0 B  ok
GET /cache  2,000    9.8 MiB  ▏           5.0 KiB    5.0 KiB    5.0 KiB       24,000     500 B   2.2 MiB  leaks
GET /zip      400    1.2 MiB  ▏           3.0 KiB    3.0 KiB    3.0 KiB        4,800  24.0 MiB       0 B  peaks
start           1      100 B  ▏             100 B      100 B      100 B           12     500 B       0 B  few

leaks  GET /cache  keeps 1.1 KiB a call: 2.2 MiB still alive after 2,000 calls
peaks  GET /zip    peaks at 24.0 MiB, 12,288 times as much; the median call at 2.0 KiB
few    fewer than 20 calls, which are too few to judge"""  # noqa: E501 - as printed
    assert render(report(START, CACHE, ZIP, PARSE)) == expected


def test_all_that_a_report_may_have_looks_like_this():
    search = endpoint("GET /search", errors=3, cancelled=2, native=0.25)
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64
program: python -m shop
process: 900 MiB allocated in 123,456 blocks | native 300 MiB | peak 3.0 MiB | alive 400 B | peak RSS 90.0 MiB

                            allocated  share of  of these  allocated  allocated  allocated  allocations      peak  retained
scope        calls  failed     in all  bytes       native        p50        p95        max       in all       max       now  verdict
------------------------------------------------------------------------------------------------------------------------------------
GET /parse   2,000       0    664 MiB  █████▉    not seen    340 KiB    1.5 MiB    2.0 MiB    8,420,800  99.0 KiB       0 B  ok
GET /search  2,000       5    1.9 MiB  ▏          488 KiB    1,000 B    1,000 B    1,000 B       24,000     500 B       0 B  ok"""  # noqa: E501 - as printed
    full = report(search, PARSE, program="python -m shop", process=TRACKED)
    assert render(full, width=140) == expected


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
    text = render(report(endpoint("GET /" + "long/" * 1000, kept=100), START), width=100)
    assert max(map(len, text.splitlines())) <= 100
    assert "long/long" in text
    assert "…" in text


def test_figures_are_not_cut_when_the_terminal_is_narendpoint():
    text = render(report(endpoint("GET /" + "long/" * 1000, kept=100)), width=20)
    assert "leaks" in text.splitlines()[-3]
    assert "GET /long/l…  2,000" in text


def test_what_a_table_can_do_without_is_left_out_of_a_narrow_one():
    full = report(endpoint("GET /" + "long/" * 5, native=0.5), PARSE)
    seen = [
        [heading for heading in ("p95", "p50", "allocations", "share", "native") if heading in text]
        for text in (render(full, width=width) for width in (140, 130, 120, 110, 100, 90, 80))
    ]
    assert seen == [
        ["p95", "p50", "allocations", "share", "native"],
        ["p50", "allocations", "share", "native"],
        ["allocations", "share", "native"],
        ["share", "native"],
        ["native"],
        [],
        [],
    ]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_table_is_no_wider_than_the_terminal(width):
    text = render(
        report(*(endpoint(f"GET /{'long/' * n}", native=0.1) for n in range(9))), width=width
    )
    assert max(map(len, text.splitlines())) <= width


def test_the_figure_by_which_rows_are_sorted_is_never_left_out():
    assert "allocations" not in render(report(PARSE), width=60)
    assert "allocations" in render(report(PARSE), width=60, sort="allocations")


def test_rows_stand_in_the_order_that_was_asked_for():
    for key, first in [("bytes", "GET /parse"), ("peak", "GET /zip"), ("name", "GET /cache")]:
        assert render(report(START, CACHE, ZIP, PARSE), sort=key).splitlines()[5].startswith(first)


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="cannot be sorted by 'size'"):
        render(report(PARSE), sort="size")


def test_the_share_is_of_what_the_process_allocated_where_that_is_known():
    half = {"bytes_allocated": PARSE.bytes_allocated.sum * 2, "allocations": 1}
    assert "  ████  " in render(report(PARSE, process=half))
    assert "  ████████  " in render(report(PARSE))


@pytest.mark.parametrize("process", [{"bytes_allocated": 1}, {"bytes_allocated": 10**400}])
def test_a_share_is_never_above_all(process):
    assert "  ████████  " in render(report(PARSE, process=process))


def test_native_memory_that_was_not_seen_is_not_zero():
    text = render(report(endpoint("seen", native=0), endpoint("unseen")))
    assert re.search(r"^seen .* 0 B ", text, re.MULTILINE)
    assert re.search(r"^unseen .* not seen ", text, re.MULTILINE)


def test_a_process_without_scopes_is_shown_with_a_way_to_get_them():
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64
process: 900 MiB allocated in 123,456 blocks | native 300 MiB | peak 3.0 MiB | alive 400 B | peak RSS 90.0 MiB

No named scope has closed, so this is the process as a whole. Every asyncio or trio task
gets a scope of its own by `allocmeter run` or instrument_tasks(); other work gets one by
`with measure("name"):` or `@measured`."""  # noqa: E501 - as printed
    assert render(report(process=TRACKED)) == expected


def test_figures_of_the_process_are_wrapped_not_cut():
    assert render(report(process=TRACKED), width=61).splitlines()[1:4] == [
        "process: 900 MiB allocated in 123,456 blocks | native 300 MiB",
        "         peak 3.0 MiB | alive 400 B | peak RSS 90.0 MiB",
        "",
    ]


@pytest.mark.parametrize("figure", [None, True, -1, 1.5, "1", [1], {}, 2**64, 10**400])
def test_what_is_no_figure_of_a_process_is_not_shown(figure):
    plain = render(report(PARSE))
    assert render(report(PARSE, process=dict.fromkeys(TRACKED, figure))) == plain


def test_wide_characters_keep_the_columns_aligned():
    narrow, wide = render(report(endpoint("日本語"), endpoint("abcdef"))).splitlines()[5:]
    assert narrow.startswith("abcdef  2,000 ")
    assert wide.startswith("日本語  2,000 ")


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_name_is_escaped_wherever_it_appears(name):
    text = render(report(endpoint(name, kept=100), PARSE))
    safe = render(report(endpoint("name", kept=100), PARSE))
    assert len(text.splitlines()) == len(safe.splitlines())
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode()


@given(reports, st.integers(min_value=1, max_value=150), st.sampled_from(SORT_KEYS))
@settings(max_examples=50)
def test_every_sound_report_is_a_printable_text(any_report, width, sort):
    text = render(any_report, width=width, sort=sort)
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("program", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_program_is_escaped(program):
    text = render(report(PARSE, program=program))
    assert len(text.splitlines()) == len(render(report(PARSE, program="x")).splitlines())
    assert all(line.isprintable() for line in text.split("\n"))


def test_hostile_facts_are_escaped_as_well():
    text = render(report(platform="x\x1b[31m\n", backend={"domains": {"\x07": ""}}))
    assert text.splitlines()[0] == (
        r"allocmeter 0.1.0 | cpython 3.12.4 | domains: \x07 | x\x1b[31m\n"
    )
