"""What the text table says of memory that calls retain: how it grows, and of which age it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allocmeter.renderers.text import render
from sample_reports import CACHE, KIB, LEAK, LRU, PARSE, START, ZIP, endpoint, growth, report


def reasons_of(*rows, **options):
    return render(report(*rows), **options).split("\n\n")[2].splitlines()


def test_growth_and_ages_look_like_this():
    expected = """\
allocmeter 0.1.0 | cpython 3.12.4 | domains: python | Linux x86_64

                   allocated  share of  allocated  allocated  allocated  allocations      peak  retained   growth per
scope       calls     in all  bytes           p50        p95        max       in all       max       now  1,000 calls  verdict
------------------------------------------------------------------------------------------------------------------------------
GET /parse  2,000    664 MiB  ████████    340 KiB    1.5 MiB    2.0 MiB    8,420,800  99.0 KiB       0 B               ok
GET /leak   2,000    1.9 MiB  ▏           1,000 B    1,000 B    1,000 B       24,000     500 B   2.2 MiB      1.1 MiB  leaks
GET /lru    2,000    1.9 MiB  ▏           1,000 B    1,000 B    1,000 B       24,000     500 B   195 KiB         none  ok
GET /zip      400    1.2 MiB  ▏           3.0 KiB    3.0 KiB    3.0 KiB        4,800  24.0 MiB       0 B               peaks
start           1      100 B  ▏             100 B      100 B      100 B           12     500 B       0 B               few

leaks  GET /leak  keeps 1.1 KiB a call (1.1 KiB to 1.1 KiB): 2.2 MiB still alive after 2,000 calls
                  by age: 12.0 KiB <10s, 40.0 KiB 10s-1m, 300 KiB 1m-10m, 1.8 MiB >10m
ok     GET /lru   filled up (grew 488 KiB per 1,000 calls before): 195 KiB still alive after 2,000 calls
                  by age: 195 KiB 10s-1m
peaks  GET /zip   peaks at 24.0 MiB, 12,288 times as much; the median call at 2.0 KiB
few    fewer than 20 calls, which are too few to judge"""  # noqa: E501 - as printed
    assert render(report(START, ZIP, LRU, LEAK, PARSE), width=128) == expected


@pytest.mark.parametrize(
    "slope",
    [
        growth(0),
        growth(99),  # what the interpreter's free lists may account for
        growth(200, doubt=200),
        growth(-500),
    ],
    ids=["none", "little", "perhaps none", "shrinking"],
)
def test_growth_has_a_column_only_where_something_grows(slope):
    text = render(report(endpoint("a", kept=8, retained_growth=slope)), width=140)
    assert "growth" not in text
    growing = report(endpoint("a", kept=8, retained_growth=growth(100)))
    assert "growth per" in render(growing, width=140)


@pytest.mark.parametrize(
    ("slope", "shown"),
    [
        (growth(-1024), "-1,000 KiB"),
        (growth(1024, doubt=2048), "none"),
        (growth(1, doubt=0.5), "1,000 B"),
    ],
)
def test_what_may_be_no_growth_is_none(slope, shown):
    text = render(report(LEAK, endpoint("other", retained_growth=slope)), width=140)
    (line,) = (line for line in text.splitlines() if line.startswith("other"))
    assert line.endswith(f"{shown}  ok")


def test_growth_over_too_few_calls_is_not_shown():
    text = render(report(LEAK, endpoint("few", 63, retained_growth=growth(5000))), width=140)
    (line,) = (line for line in text.splitlines() if line.startswith("few "))
    assert line.split()[-3:-1] == ["0", "B"]


def test_growth_is_the_first_that_a_narrow_terminal_leaves_out():
    seen = [
        [heading for heading in ("p95", "p50", "growth per") if heading in text]
        for text in (render(report(LEAK), width=width) for width in (130, 116, 100))
    ]
    assert seen == [["p95", "p50", "growth per"], ["p95", "p50"], ["p50"]]


def test_what_is_all_young_is_not_shown_by_age():
    young = replace(LEAK, retained_by_age=((2256 * KIB, 2000), (0, 0), (0, 0), (0, 0)))
    (only,) = reasons_of(young)
    assert only.startswith("leaks  GET /leak  keeps 1.1 KiB a call")


def test_a_report_without_ages_says_nothing_of_them():
    assert reasons_of(CACHE) == reasons_of(replace(CACHE, retained_by_age=()))
    assert "age" not in "".join(reasons_of(CACHE))


def test_ages_of_a_name_that_only_peaks_are_left_to_other_renderers():
    old = replace(ZIP, retained_bytes=10, retained_by_age=((0, 0), (0, 0), (0, 0), (10, 1)))
    assert reasons_of(old) == reasons_of(ZIP)


def test_a_cache_that_slows_down_is_told_from_one_that_is_full():
    slower = replace(LRU, retained_growth=growth(100, earlier=500), retained_by_age=())
    (reason,) = reasons_of(slower)
    assert reason == (
        "ok  GET /lru  fills up (grew 488 KiB per 1,000 calls before, 97.7 KiB now): 195 KiB still "
        "alive after 2,000 calls"
    )


def test_a_cache_that_retains_little_needs_no_line():
    small = replace(LRU, retained_growth=growth(0, earlier=150))
    assert "filled up" in render(report(replace(small, retained_bytes=64 * KIB)))
    assert "filled up" not in render(report(replace(small, retained_bytes=64 * KIB - 1)))
