"""Histograms against numpy, and what numpy refuses or leaves open."""

from __future__ import annotations

import dataclasses
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from allocmeter.histogram import AllocationHistogram, HistogramBucket

bucket_counts = st.integers(min_value=1, max_value=40)
integers = st.integers(min_value=-(2**62), max_value=2**62 - 1)
floats = st.floats(min_value=-1e300, max_value=1e300, allow_nan=False)
samples = st.one_of(
    st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=80),
    st.lists(integers, min_size=1, max_size=80),
    st.lists(floats, min_size=1, max_size=80),
)


def counts_of(histogram):
    return [bucket.count for bucket in histogram.buckets]


def edges_of(histogram):
    buckets = histogram.buckets
    return [buckets[0].lower_bound, *(bucket.upper_bound for bucket in buckets)]


@settings(deadline=None)
@given(samples, bucket_counts)
@example([0, 1, 2, 3, 4, 5, 6, 7], 49)  # whole numbers beside edges that are not quite whole
@example([0.1, 0.2, 0.3, 0.4, 0.7], 6)
@example([5, 5, 5], 3)
@example([2**60, 2**60 + 2**12], 8)
def test_edges_and_counts_are_those_of_numpy(values, buckets):
    try:
        expected, expected_edges = np.histogram(np.array(values), buckets)
    except ValueError:  # too many buckets for the range: covered by tests of its own
        assume(False)
    histogram = AllocationHistogram(values, buckets)
    assert counts_of(histogram) == expected.tolist()
    assert edges_of(histogram) == expected_edges.tolist()


@settings(deadline=None)
@given(samples, bucket_counts)
def test_every_value_is_counted_once_and_the_frequencies_are_percentages(values, buckets):
    histogram = AllocationHistogram(values, buckets)
    assert sum(counts_of(histogram)) == len(values)
    assert [bucket.frequency for bucket in histogram.buckets] == [
        100 * count / len(values) for count in counts_of(histogram)
    ]
    assert all(bucket.lower_bound <= bucket.upper_bound for bucket in histogram.buckets)
    assert all(low.upper_bound == high.lower_bound for low, high in pairwise(histogram.buckets))


@settings(deadline=None)
@given(st.lists(st.tuples(integers, st.integers(0, 5)), max_size=30), bucket_counts)
def test_weighted_pairs_give_the_histogram_of_the_values_repeated(pairs, buckets):
    repeated = [value for value, count in pairs for _ in range(count)]
    assert AllocationHistogram.from_counts(pairs, buckets) == AllocationHistogram(repeated, buckets)


def test_the_last_bucket_includes_the_largest_value_and_the_others_their_lower_bound():
    assert counts_of(AllocationHistogram([0, 5, 10], 2)) == [1, 2]


def test_values_that_are_all_equal_stand_in_the_middle_of_a_range_one_unit_wide():
    histogram = AllocationHistogram([7] * 4, 3)
    assert counts_of(histogram) == [0, 4, 0]
    assert (edges_of(histogram)[0], edges_of(histogram)[-1]) == (6.5, 7.5)


def test_integers_that_floats_cannot_tell_apart_are_counted_exactly():
    values = [2**60, 2**60 + 1, 2**60 + 2, 2**60 + 2, 2**60 + 3]
    assert counts_of(AllocationHistogram(values, 3)) == [1, 1, 3]
    assert counts_of(AllocationHistogram([2**60 + 1] * 5, 3)) == [0, 5, 0]


def test_neighbouring_floats_are_counted_exactly():
    values = [1.0, math.nextafter(1.0, 2.0)]
    assert counts_of(AllocationHistogram(values, 4)) == [1, 0, 0, 1]


def test_a_range_wider_than_any_float_is_counted_exactly():
    histogram = AllocationHistogram([-1.7e308, 0.0, 1.7e308], 2)
    assert counts_of(histogram) == [1, 2]
    assert edges_of(histogram) == [-1.7e308, 0, 1.7e308]


def test_without_values_there_are_no_buckets():
    assert AllocationHistogram([]).buckets == ()
    assert AllocationHistogram.from_counts([], 4).buckets == ()
    assert AllocationHistogram.from_counts([(512, 0)], 4).buckets == ()


def test_ten_buckets_are_the_default():
    assert len(AllocationHistogram([1, 2]).buckets) == 10
    assert len(AllocationHistogram.from_counts([(1, 2)]).buckets) == 10


@pytest.mark.parametrize("buckets", [0, -1])
def test_a_bucket_count_below_one_is_refused_with_and_without_values(buckets):
    for build in (AllocationHistogram, AllocationHistogram.from_counts):
        with pytest.raises(ValueError, match="at least 1 bucket"):
            build([], buckets)
    with pytest.raises(ValueError, match="at least 1 bucket"):
        AllocationHistogram([1], buckets)


@pytest.mark.parametrize("buckets", [2.0, "10", None, True])
def test_a_bucket_count_that_is_no_integer_is_refused(buckets):
    with pytest.raises(TypeError, match="buckets must be an int"):
        AllocationHistogram([1], buckets)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        AllocationHistogram([1.0, bad])
    with pytest.raises(ValueError, match="finite"):
        AllocationHistogram.from_counts([(1.0, 1), (bad, 1)])


def test_a_count_must_be_a_non_negative_integer():
    with pytest.raises(ValueError, match="must not be negative"):
        AllocationHistogram.from_counts([(1, -1)])
    for count in (1.5, True, "2"):
        with pytest.raises(TypeError, match="a count must be an int"):
            AllocationHistogram.from_counts([(1, count)])


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="'bytes' or 'blocks'"):
        AllocationHistogram([1], unit="seconds")


def test_a_histogram_cannot_be_changed():
    histogram = AllocationHistogram([1, 2])
    with pytest.raises(AttributeError):
        histogram.buckets = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        histogram.buckets[0].count = 5
    assert histogram.buckets[0] == HistogramBucket(1.0, 1.1, 1, 50.0)


def test_equal_histograms_are_equal_and_hash_alike():
    one, same = AllocationHistogram([1, 2, 3]), AllocationHistogram(iter([3, 2, 1]))
    assert one == same
    assert hash(one) == hash(same)
    assert one != AllocationHistogram([1, 2, 3], unit="blocks")
    assert one != AllocationHistogram([1, 2])
    assert one != "a histogram"


def test_the_text_has_a_bar_per_bucket_whose_length_follows_its_count():
    text = str(AllocationHistogram([0] * 80 + [1024] * 40 + [4096], 4))
    lines = text.splitlines()
    bars = [line.split("│")[1].rstrip() for line in lines]
    assert [len(bar) for bar in bars] == [40, 20, 0, 1]
    assert bars[0] == "█" * 40
    assert lines[0].startswith("    0 B to 1.0 KiB │")
    assert lines[3].startswith("3.0 KiB to 4.0 KiB │")
    assert lines[1].endswith("│ 40  33.1 %")
    assert len({len(line) for line in lines}) == 1


def test_a_bucket_with_few_values_is_not_drawn_empty():
    lines = str(AllocationHistogram([0] * 100_000 + [10], 2)).splitlines()
    assert "▏" in lines[1]


def test_a_histogram_of_blocks_is_drawn_without_byte_units():
    histogram = AllocationHistogram([0, 2000], 2, unit="blocks")
    assert histogram.unit == "blocks"
    assert str(histogram).startswith("    0 to 1,000 │")
    assert not re.search(r"\bK?i?B\b", str(histogram))


def test_bounds_that_would_look_alike_when_rounded_are_written_out():
    text = str(AllocationHistogram([1_000_000, 1_000_100], 2))
    assert "1,000,000.00 B to 1,000,050.00 B" in text
    blocks = str(AllocationHistogram([1_000, 1_000.2], 2, unit="blocks"))
    assert "1,000.00 to 1,000.10 │" in blocks


def test_the_text_of_nothing_says_so():
    assert str(AllocationHistogram([])) == "nothing measured"


def test_the_representation_tells_the_size():
    assert repr(AllocationHistogram([1, 2, 3], 2)) == (
        "<AllocationHistogram: 3 values in 2 buckets>"
    )
