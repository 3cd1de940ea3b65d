"""Names made safe to print, and figures in units and bars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.renderers.printable import columns, printable
from allocmeter.units import bar, human_bytes, human_count
from sample_reports import KIB, MIB


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


def test_a_wide_character_takes_two_columns():
    assert [columns(text) for text in ("", "ab", "日本", "a日")] == [0, 2, 4, 3]


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, ""), (0.001, "▏"), (0.25, "██"), (0.3, "██▍"), (0.5, "████"), (1, "████████")],
)
def test_a_bar_fills_its_share_and_is_never_empty_for_something(share, drawn):
    assert bar(share, 8) == drawn
