"""Sizes that people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.sizes import parse_size, shortened


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("512 B", 512),
        ("512b", 512),
        ("1 KiB", 1024),
        ("1KiB", 1024),
        (" 64 kib ", 65_536),
        ("1.5 MiB", 1_572_864),
        ("2GiB", 2 * 1024**3),
        ("1 TiB", 1024**4),
        ("64 KB", 64_000),
        ("1.5 MB", 1_500_000),
        ("1 GB", 10**9),
        ("1 TB", 10**12),
        ("0.3 KiB", 307),
        ("0.1 MiB", 104_857),
        (str(2**64 - 1), 2**64 - 1),
    ],
)
def test_a_size_is_a_number_with_a_unit_or_alone(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *["", "KiB", "1 K", "1 KiBs", "1  KiB", "1 KiB 1 B", "1\nKiB", ".5 KiB", "1.", "5%"],
        *["-1", "+1", "1e3", "1,000", "1_000", "0x10", "nan", "inf", "٣ KiB"],
        *["9" * 5000, "1." + "0" * 5000],
    ],
)
def test_anything_else_is_refused_with_the_grammar(text):
    with pytest.raises(ValueError, match="is not a size; a size is a number and a unit") as refusal:
        parse_size(text)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("text", [str(2**64), "16777216 TiB", "99999999999999999999 TiB"])
def test_more_than_any_memory_holds_is_refused(text):
    with pytest.raises(ValueError, match="more than any memory holds"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=2**40), st.sampled_from(["", " B", "B", "KiB", " MiB"]))
def test_units_multiply_exactly(number, unit):
    factor = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2}[unit.strip()]
    if number * factor < 2**64:
        assert parse_size(f"{number}{unit}") == number * factor


@given(st.text(st.characters()))
def test_text_in_messages_is_short_and_printable(text):
    shown = shortened(text)
    assert len(shown) <= 60
    assert shown.isprintable()
