"""The orders of rows: by which figure, and how ties are settled."""

from __future__ import annotations

import pytest

from allocmeter.report_order import SORT_KEYS, ordered
from sample_reports import distribution, report, row

SMALL = row("b small", 10, count=9)
OFTEN = row("a often", 30, count=50, allocations=distribution(2), retained_bytes=5)
HUGE = row("c huge", 90, count=1, allocations=distribution(7), retained_bytes=1)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("bytes", "c a b"),
        ("allocations", "c a b"),
        ("peak", "c a b"),
        ("retained", "a c b"),
        ("calls", "a b c"),
        ("name", "a b c"),
    ],
)
def test_the_largest_figure_comes_first_and_names_come_in_their_order(key, names):
    found = ordered([SMALL, OFTEN, HUGE], key)
    assert [row.name[0] for row in found] == names.split()


def test_each_figure_is_looked_at_for_itself():
    rows = [
        row("bytes", bytes_allocated=distribution(sum=2)),
        row("allocations", allocations=distribution(sum=2)),
        row("peak", peak_bytes=distribution(max=2)),
        row("retained", retained_bytes=2),
        row("calls", count=2),
    ]
    assert [ordered(rows, key)[0].name for key in SORT_KEYS[:-1]] == list(SORT_KEYS[:-1])


@pytest.mark.parametrize("key", SORT_KEYS)
def test_rows_with_equal_figures_stand_by_name(key):
    assert [row.name for row in ordered([row("b"), row("c"), row("a")], key)] == ["a", "b", "c"]


def test_a_report_is_ordered_by_bytes():
    assert report(SMALL, OFTEN, HUGE).rows == ordered([SMALL, OFTEN, HUGE], "bytes")


def test_an_unknown_key_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match="by 'size'; the keys are bytes, allocations, peak"):
        ordered([], "size")
