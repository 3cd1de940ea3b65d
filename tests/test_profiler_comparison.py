"""How a profile is compared with an earlier one."""

from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pytest

from allocmeter import AllocationProfiler, AllocationStats
from allocmeter.comparison import Change
from operations import SIZES, block, cost, profiled_blocks


@pytest.fixture
def profiler():
    return profiled_blocks()


@pytest.mark.exact
def test_a_comparison_tells_absolute_and_relative_changes(profiler):
    now = AllocationProfiler()
    for size in SIZES:
        now.profile(lambda size=size: (block(size), block(size)))
    comparison = now.compare(profiler)
    before = [cost(size) for size in SIZES]
    after = [stats.bytes_allocated for stats in now.measurements]
    assert comparison.mean_bytes == Change(statistics.mean(before), statistics.mean(after))
    assert comparison.median_bytes == Change(statistics.median(before), statistics.median(after))
    assert comparison.p95_bytes == Change(np.percentile(before, 95), np.percentile(after, 95))
    assert comparison.mean_allocations.absolute >= 1
    assert comparison.median_allocations.relative >= 1
    assert comparison.p95_allocations.baseline == 1


def test_a_change_is_signed_and_relative_to_its_baseline():
    assert Change(100, 125).absolute == 25
    assert Change(100, 125).relative == 0.25
    assert Change(100, 75).relative == -0.25
    assert Change(0, 0).relative == 0
    assert Change(0, 5).relative == math.inf
    assert Change(0, -5).relative == -math.inf


def test_a_profile_compared_with_itself_has_not_changed(profiler):
    comparison = profiler.compare(AllocationProfiler.from_json(profiler.to_json()))
    assert comparison.mean_bytes.absolute == 0
    assert comparison.p95_allocations.relative == 0


def test_a_comparison_without_measurements_is_refused(profiler):
    with pytest.raises(ValueError, match="the baseline has no successful measurement"):
        profiler.compare(AllocationProfiler())
    with pytest.raises(ValueError, match="the profiler has no successful measurement"):
        AllocationProfiler().compare(profiler)


def test_the_text_of_a_comparison_is_a_table_with_units():
    baseline, now = (
        AllocationProfiler.from_json(
            json.dumps(
                {
                    "schema_version": 1,
                    "kind": "allocmeter-profile",
                    "name": None,
                    "max_measurements": None,
                    "count": 1,
                    "errors": 0,
                    "cancelled": 0,
                    "measurements": [
                        {
                            "stats": AllocationStats(blocks, 0, 0, size, 0).to_dict(),
                            "peak_bytes": size,
                            "peak_allocations": blocks,
                        }
                    ],
                    "failed_measurements": [],
                }
            )
        )
        for blocks, size in ((4, 1024), (3, 2048))
    )
    lines = str(now.compare(baseline)).splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["baseline", "now", "change", "relative"]
    assert lines[1].split() == [
        "mean",
        "bytes",
        "1.0",
        "KiB",
        "2.0",
        "KiB",
        "+1.0",
        "KiB",
        "+100.0%",
    ]
    assert lines[6].split() == ["p95", "allocations", "4", "3", "-1", "-25.0%"]
    assert len({len(line) for line in lines}) == 1
