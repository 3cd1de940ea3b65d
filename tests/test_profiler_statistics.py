"""Statistics over a profiler's runs, and the bound, reset and merge of what is kept."""

from __future__ import annotations

import asyncio
import math
import statistics
import typing

import numpy as np
import pytest

from allocmeter import AllocationHistogram, AllocationProfiler
from allocmeter.runs import Quantity
from operations import SIZES, block, cancel, cost, fail, profiled_blocks, transient


@pytest.fixture
def profiler():
    return profiled_blocks()


@pytest.mark.exact
def test_mean_median_and_percentiles_describe_the_successes(profiler):
    figures = [cost(size) for size in SIZES]
    assert profiler.mean_bytes == statistics.mean(figures)
    assert profiler.median_bytes == statistics.median(figures)
    for p in (0, 12.5, 50, 95, 99.9, 100):
        assert profiler.percentile_bytes(p) == np.percentile(figures, p)
    assert profiler.mean_allocations == profiler.median_allocations == 1
    assert profiler.percentile_allocations(95) == 1


def test_of_nothing_every_figure_is_zero():
    profiler = AllocationProfiler()
    assert profiler.measurements == profiler.failed_measurements == ()
    assert profiler.mean_bytes == profiler.median_bytes == profiler.percentile_bytes(95) == 0
    assert profiler.mean_allocations == profiler.median_allocations == 0
    assert profiler.percentile_allocations(95) == 0
    assert profiler.histogram().buckets == ()


def test_impossible_percentiles_are_refused(profiler):
    for method in (profiler.percentile_bytes, profiler.percentile_allocations):
        for p in (-1, 100.1, math.nan):
            with pytest.raises(ValueError, match="from 0 to 100"):
                method(p)
        with pytest.raises(TypeError, match="from 0 to 100"):
            method("95")


@pytest.mark.exact
def test_a_histogram_shows_any_measured_quantity():
    profiler = AllocationProfiler()
    for size in SIZES:
        profiler.profile(transient, size)
    figures = [cost(size) for size in SIZES]
    for of in ("bytes_allocated", "bytes_deallocated", "peak_bytes"):
        assert profiler.histogram(4, of) == AllocationHistogram(figures, 4)
    assert profiler.histogram(4, "net_bytes") == AllocationHistogram([0] * 5, 4)
    for of in ("allocations", "deallocations", "peak_allocations"):
        assert profiler.histogram(4, of) == AllocationHistogram([1] * 5, 4, unit="blocks")
    for of in ("reallocations", "net_allocations"):
        assert profiler.histogram(4, of) == AllocationHistogram([0] * 5, 4, unit="blocks")
    assert len(profiler.histogram().buckets) == 10


def test_an_unknown_quantity_is_refused_and_the_known_ones_are_told(profiler):
    with pytest.raises(ValueError, match=r"there are allocations, .*peak_allocations"):
        profiler.histogram(of="calls")
    assert len(typing.get_args(Quantity)) == 9
    with pytest.raises(ValueError, match="at least 1 bucket"):
        profiler.histogram(0)


@pytest.mark.exact
def test_only_the_latest_measurements_are_kept_but_all_are_counted():
    profiler = AllocationProfiler(max_measurements=3)
    for size in SIZES:
        profiler.profile(block, size)
    for size in SIZES:
        with pytest.raises(ValueError):
            profiler.profile(fail, size)
    assert (profiler.count, profiler.errors) == (5, 5)
    for measurements in (profiler.measurements, profiler.failed_measurements):
        assert len(measurements) == 3
        for stats, size in zip(measurements, SIZES[-3:], strict=True):
            assert size < stats.bytes_allocated < size + 900
    assert profiler.percentile_bytes(100) == profiler.measurements[-1].bytes_allocated
    assert profiler.max_measurements == 3


@pytest.mark.parametrize("bound", [0, -5])
def test_a_bound_below_one_is_refused(bound):
    with pytest.raises(ValueError, match="max_measurements must be 1 or more"):
        AllocationProfiler(max_measurements=bound)


@pytest.mark.parametrize("bound", [1.5, "3", True])
def test_a_bound_that_is_no_integer_is_refused(bound):
    with pytest.raises(TypeError, match="max_measurements must be an int"):
        AllocationProfiler(max_measurements=bound)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="must be a str"):
        AllocationProfiler(5)


def test_reset_forgets_everything(profiler):
    with pytest.raises(ValueError):
        profiler.profile(fail)
    profiler.reset()
    assert (profiler.count, profiler.failures) == (0, 0)
    assert profiler.measurements == profiler.failed_measurements == ()
    assert profiler.name == "blocks"
    assert profiler.max_measurements is None


def test_merging_adds_the_other_behind_and_leaves_it_unchanged(profiler):
    other = AllocationProfiler()
    other.profile(block, 70_000)
    with pytest.raises(ValueError):
        other.profile(fail)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            other.profile(cancel)
    before = profiler.measurements
    profiler.merge(other)
    assert profiler.measurements == before + other.measurements
    assert profiler.failed_measurements == other.failed_measurements
    assert (profiler.count, profiler.errors, profiler.cancelled) == (6, 1, 2)
    assert (other.count, other.errors, other.cancelled) == (1, 1, 2)
    assert profiler.histogram(of="peak_bytes").buckets[-1].count == 1


def test_merging_respects_the_bound_and_counts_in_full(profiler):
    bounded = AllocationProfiler(max_measurements=2)
    bounded.profile(block, 1)
    bounded.merge(profiler)
    assert bounded.count == 6
    assert bounded.measurements == profiler.measurements[-2:]


def test_a_profiler_merged_with_itself_is_doubled(profiler):
    profiler.merge(profiler)
    assert profiler.count == 10
    assert profiler.measurements[:5] == profiler.measurements[5:]


def test_only_profilers_can_be_merged_and_compared(profiler):
    with pytest.raises(TypeError, match="merged"):
        profiler.merge(profiler.measurements)
    with pytest.raises(TypeError, match="compared"):
        profiler.compare(profiler.measurements)
