"""The grammar of limits, and when growth exceeds one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.comparison import Change
from allocmeter.limits import METRICS, Limit, parse_limits


def test_limits_are_percentages_sizes_and_numbers():
    assert parse_limits("bytes:5%,allocations:0,peak:10 MiB,retained:1KiB") == (
        Limit("bytes", 0.05, relative=True),
        Limit("allocations", 0),
        Limit("peak", 10 * 1024**2),
        Limit("retained", 1024),
    )


def test_spaces_and_fractions_are_read():
    assert parse_limits(" bytes : 0.5 % , allocations: 1.5,retained:100") == (
        Limit("bytes", 0.005, relative=True),
        Limit("allocations", 1.5),
        Limit("retained", 100),
    )


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("", "'' has no colon"),
        ("bytes", "'bytes' has no colon"),
        ("bytes=5%", "'bytes=5%' has no colon"),
        ("bytes:5%,", "'' has no colon"),
        ("rss:5%", "'rss:5%' names no metric: 'rss'"),
        ("Bytes:5%", "'Bytes:5%' names no metric: 'Bytes'"),
        (":5%", "':5%' names no metric: ''"),
        ("bytes:", "'bytes:' has no limit: give a percentage or a size"),
        ("bytes:lots", "'bytes:lots' has no limit: give a percentage or a size"),
        ("bytes:-5%", "'bytes:-5%' has no limit"),
        ("bytes:%", "'bytes:%' has no limit"),
        ("bytes:5%%", "'bytes:5%%' has no limit"),
        ("bytes:nan%", "'bytes:nan%' has no limit"),
        ("bytes:1e400%", "'bytes:1e400%' has no limit"),
        ("peak:1 Kib:2", "'peak:1 Kib:2' has no limit"),
        ("allocations:1KiB", "'allocations:1KiB' has no limit: give a percentage or a number"),
        ("allocations:inf", "'allocations:inf' has no limit"),
        ("bytes:1%,peak:1%,bytes:2%", "'bytes:2%' limits bytes a second time"),
        ("bytes:\x1b[2J", r"'bytes:\x1b[2J' has no limit"),
        ("bytes:" + "9" * 9999 + "%", "9…' has no limit"),
    ],
)
def test_a_malformed_part_is_named_and_the_grammar_given(spec, problem):
    with pytest.raises(ValueError) as refusal:
        parse_limits(spec)
    text = str(refusal.value)
    assert problem in text
    assert "expected METRIC:LIMIT[,METRIC:LIMIT...]" in text
    assert text.isprintable()
    assert len(text) < 400


@given(st.text(st.characters(), max_size=30))
def test_no_text_crashes_the_parser(text):
    try:
        limits = parse_limits(text)
    except ValueError:
        return
    assert all(limit.metric in METRICS for limit in limits)


def test_a_limit_that_makes_no_sense_cannot_be_made():
    with pytest.raises(ValueError, match="'rss' is not a metric; there are bytes, allocations"):
        Limit("rss", 1)
    for allowed in (-1, math.nan):
        with pytest.raises(ValueError, match="the growth allowed is"):
            Limit("bytes", allowed)


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("bytes:5%", "bytes:5%"),
        ("bytes:0.1%", "bytes:0.1%"),
        ("bytes:7.3%", "bytes:7.3%"),
        ("retained:1KiB", "retained:1.0 KiB"),
        ("allocations:1500", "allocations:1,500"),
        ("allocations:10%", "allocations:10%"),
        ("peak:0", "peak:0 B"),
    ],
)
def test_a_limit_is_shown_as_people_read_it(spec, shown):
    assert str(parse_limits(spec)[0]) == shown


@pytest.mark.parametrize(
    ("spec", "baseline", "current", "exceeded"),
    [
        ("bytes:5%", 100, 105, False),
        ("bytes:5%", 100, 105.1, True),
        ("bytes:5%", 100, 90, False),
        ("bytes:7%", 1.05, 1.05 * 1.07, False),  # as floats a little more than 7 %
        ("bytes:5%", 0, 0, False),
        ("bytes:5%", 0, 1, True),
        ("bytes:0%", 10**15, 10**15 + 1, True),
        ("bytes:0", 100, 100, False),
        ("bytes:0", 10**15, 10**15 + 1, True),
        ("retained:1KiB", 5000, 6024, False),
        ("retained:1KiB", 5000, 6025, True),
        ("allocations:2", 10, 12, False),
        ("allocations:2", 10, 12.5, True),
    ],
)
def test_the_limit_is_the_growth_still_allowed(spec, baseline, current, exceeded):
    assert parse_limits(spec)[0].exceeded_by(Change(baseline, current)) is exceeded


def test_a_share_of_a_limit_is_exceeded_earlier():
    limit = parse_limits("bytes:10%")[0]
    assert not limit.exceeded_by(Change(100, 106))
    assert limit.exceeded_by(Change(100, 106), share=0.5)
