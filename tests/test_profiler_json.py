"""A profile's way through JSON, and damaged documents."""

from __future__ import annotations

import asyncio
import json
import typing

import pytest

from allocmeter import AllocationProfiler, AllocationStats, ReportFormatError
from allocmeter.runs import Quantity
from operations import SIZES, block, cancel, fail, profiled_blocks


@pytest.fixture
def profiler():
    return profiled_blocks()


@pytest.fixture
def saved(profiler):
    with pytest.raises(ValueError):
        profiler.profile(fail)
    return json.loads(profiler.to_json())


def test_a_profile_survives_the_way_through_json(profiler):
    with pytest.raises(ValueError):
        profiler.profile(fail)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            profiler.profile(cancel)
    restored = AllocationProfiler.from_json(profiler.to_json())
    assert restored.to_json() == profiler.to_json()
    assert restored.name == "blocks"
    assert restored.measurements == profiler.measurements
    assert restored.failed_measurements == profiler.failed_measurements
    assert (restored.count, restored.errors, restored.cancelled) == (5, 1, 2)
    for of in typing.get_args(Quantity):
        assert restored.histogram(of=of) == profiler.histogram(of=of)


def test_a_restored_profile_goes_on_measuring_within_its_bound():
    profiler = AllocationProfiler(max_measurements=2)
    for size in SIZES:
        profiler.profile(block, size)
    restored = AllocationProfiler.from_json(profiler.to_json().encode())
    restored.profile(block, 50_000)
    assert restored.count == 6
    assert len(restored.measurements) == 2
    assert restored.measurements[0] == profiler.measurements[1]


def test_the_document_names_its_schema_and_kind(saved):
    assert saved["schema_version"] == 1
    assert saved["kind"] == "allocmeter-profile"
    assert saved["measurements"][0].keys() == {"stats", "peak_bytes", "peak_allocations"}


def test_fields_of_a_later_release_are_ignored(saved):
    saved["platform"] = "elsewhere"
    saved["measurements"][0]["seconds"] = 1.5
    assert AllocationProfiler.from_json(json.dumps(saved)).count == 5


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_schema_is_refused_and_says_what_to_do(saved, version):
    saved["schema_version"] = version
    with pytest.raises(ReportFormatError, match=f"version {version}.*upgrade allocmeter"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.0, True])
def test_a_damaged_schema_version_is_refused(saved, version):
    saved["schema_version"] = version
    with pytest.raises(ReportFormatError, match="no schema version"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize("text", ["", "{", "nonsense", b"\xff\xfe\xfd", "[" * 100_000, '{"a":1}x'])
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(ReportFormatError, match="no JSON"):
        AllocationProfiler.from_json(text)


@pytest.mark.parametrize("text", ["[]", "5", "null", "{}", '{"schema_version": 1, "scopes": []}'])
def test_json_of_something_else_is_refused(text):
    with pytest.raises(ReportFormatError, match="not a profile"):
        AllocationProfiler.from_json(text)


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "max_measurements",
        "count",
        "errors",
        "cancelled",
        "measurements",
        "failed_measurements",
    ],
)
@pytest.mark.parametrize("damage", [5.5, {}, "missing"])
def test_damaged_fields_are_refused(saved, field, damage):
    if damage == "missing":
        del saved[field]
    else:
        saved[field] = damage
    with pytest.raises(ReportFormatError, match="damaged profile"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize(
    ("field", "value"),
    [("count", -1), ("count", 4), ("errors", 0), ("max_measurements", 2), ("max_measurements", 0)],
)
def test_counts_that_contradict_the_measurements_are_refused(saved, field, value):
    saved[field] = value
    with pytest.raises(ReportFormatError, match="damaged profile"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize(
    "record",
    [
        5,
        {},
        {"stats": {}, "peak_bytes": 1, "peak_allocations": 1},
        {"stats": AllocationStats().to_dict(), "peak_bytes": "1", "peak_allocations": 1},
        {"stats": AllocationStats().to_dict(), "peak_bytes": 1, "peak_allocations": -1},
    ],
)
def test_damaged_measurements_are_refused(saved, record):
    saved["measurements"][2] = record
    with pytest.raises(ReportFormatError):
        AllocationProfiler.from_json(json.dumps(saved))
