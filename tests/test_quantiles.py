"""Percentiles against numpy, the median against the standard library."""

from __future__ import annotations

import math
import statistics
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter.quantiles import median, percentile

counters = st.integers(min_value=-(2**52), max_value=2**62 - 1)
sizes = st.floats(min_value=-1e300, max_value=1e300, allow_nan=False)
percents = st.one_of(
    st.floats(min_value=0, max_value=100),
    st.integers(min_value=0, max_value=100),
    st.sampled_from([0, 0.0, 1e-300, 12.5, 50, 95, 99, 99.9, 100, 100.0]),
)


@settings(deadline=None)
@given(st.lists(counters, min_size=1, max_size=60), percents)
def test_percentiles_of_integers_are_the_very_floats_numpy_gives(values, p):
    assert percentile(values, p) == np.percentile(np.array(values, dtype=np.int64), p)


@settings(deadline=None)
@given(st.lists(sizes, min_size=1, max_size=60), percents)
def test_percentiles_of_floats_are_the_very_floats_numpy_gives(values, p):
    assert percentile(values, p) == np.percentile(np.array(values), p)


@settings(deadline=None)
@given(st.lists(counters, min_size=1), percents, percents)
def test_a_higher_percentile_is_never_a_smaller_value(values, p, q):
    low, high = sorted((p, q))
    assert percentile(values, low) <= percentile(values, high)


@settings(deadline=None)
@given(st.lists(st.one_of(counters, sizes), min_size=1))
def test_the_median_is_the_one_of_the_standard_library(values):
    assert median(values) == statistics.median(values)


def test_the_ends_are_the_smallest_and_the_largest_value():
    values = [30, 10, 20]
    assert percentile(values, 0) == 10
    assert percentile(values, 100) == 30


def test_values_between_two_neighbours_are_interpolated():
    assert percentile([0, 10], 25) == 2.5
    assert percentile([0, 10], 75) == 7.5
    assert percentile([10, 20, 40], 75) == 30


def test_one_value_is_every_percentile():
    assert [percentile([7], p) for p in (0, 33.3, 100)] == [7, 7, 7]


@pytest.mark.parametrize("p", [0, 50, 100])
def test_nothing_measured_gives_zero(p):
    assert percentile([], p) == 0
    assert median([]) == 0


def test_values_may_come_from_an_iterator_and_are_left_as_they_are():
    values = [3, 1, 2]
    assert percentile(iter(values), 50) == 2
    assert median(value for value in values) == 2
    percentile(values, 50)
    assert values == [3, 1, 2]


def test_integers_too_large_for_an_exact_float_are_rounded_once():
    value = 2**63 + 1
    assert percentile([value], 50) == float(value)
    assert percentile([value, value], 30) == float(value)


def test_exact_fractions_are_accepted_as_values():
    assert percentile([Fraction(1, 2), Fraction(3, 2)], 50) == 1


@pytest.mark.parametrize(
    "p", [-1, -1e-9, 100.00001, 101, math.nan, math.inf, -math.inf, sys.maxsize]
)
@pytest.mark.parametrize("values", [[], [1, 2, 3]])
def test_a_percentile_outside_0_to_100_is_refused(values, p):
    with pytest.raises(ValueError, match="from 0 to 100"):
        percentile(values, p)


@pytest.mark.parametrize("p", [True, False, "50", None, 50j, [50]])
def test_a_percentile_that_is_no_number_is_refused(p):
    with pytest.raises(TypeError, match="from 0 to 100"):
        percentile([1, 2, 3], p)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        percentile([1.0, bad, 2.0], 50)
    with pytest.raises(ValueError, match="finite"):
        median([1.0, bad, 2.0])
