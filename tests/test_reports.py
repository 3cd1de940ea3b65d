"""The report as a value and as JSON: what survives the trip, and what is refused."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given

from allocmeter import Registry
from allocmeter._core import preload
from allocmeter.errors import AllocmeterError, ReportFormatError
from allocmeter.reports import Report, RetainedGrowth
from allocmeter.timeline import MemorySample
from report_strategies import reports
from sample_reports import FIGURES, distribution, report, row


@given(reports)
def test_a_report_survives_json_unchanged(original):
    assert Report.from_json(original.to_json()) == original
    assert Report.from_json(original.to_json(indent=2).encode()) == original
    assert Report.from_dict(original.to_dict()) == original


@given(reports)
def test_the_dictionary_is_what_the_json_says(original):
    assert json.loads(original.to_json()) == original.to_dict()


def test_a_report_survives_pickling():
    original = report(row("a", 512), row("b"))
    assert pickle.loads(pickle.dumps(original)) == original


def test_the_json_has_the_documented_fields():
    original = report(
        row(
            "checkout",
            512,
            native_bytes_allocated=256,
            native_allocations=1,
            retained_by_age=((16, 1), (0, 0), (0, 0), (48, 3)),
            retained_growth=RetainedGrowth(1024.5, -1.0, 2000.0, 900),
        ),
        process={"rss_bytes": 1024},
        created_at="2026-01-02T03:04:05+00:00",
        program="python -m shop",
        timeline=(MemorySample(0.5, -16, -1, None), MemorySample(1.0, 512, 3, 4096)),
    )
    assert json.loads(original.to_json()) == {
        "schema_version": 1,
        "allocmeter": "0.1.0",
        "python": "cpython 3.12.4",
        "platform": "Linux x86_64",
        "created_at": "2026-01-02T03:04:05+00:00",
        "program": "python -m shop",
        "backend": {"domains": {"python": "", "native": "not preloaded"}, "gaps": 0},
        "process": {"rss_bytes": 1024},
        "scopes": [
            {
                "name": "checkout",
                "count": 1,
                "errors": 0,
                "cancelled": 0,
                "bytes_allocated": dict.fromkeys(FIGURES, 512),
                "allocations": dict.fromkeys(FIGURES, 1),
                "peak_bytes": dict.fromkeys(FIGURES, 512),
                "retained_bytes": 0,
                "retained_allocations": 0,
                "late_bytes_allocated": 0,
                "retained": dict.fromkeys(FIGURES, 0),
                "histogram": [[512, 528, 1]],
                "native_bytes_allocated": 256,
                "native_allocations": 1,
                "retained_by_age": [[16, 1], [0, 0], [0, 0], [48, 3]],
                "retained_growth": {
                    "bytes_per_1000_calls": 1024.5,
                    "low": -1.0,
                    "high": 2000.0,
                    "earlier": 900,
                },
            }
        ],
        "timeline": [[0.5, -16, -1, None], [1.0, 512, 3, 4096]],
    }


def test_rows_stand_by_total_bytes_then_by_name():
    ordered = report(row("b", 1), row("big", 9), row("a", 1)).rows
    assert [row.name for row in ordered] == ["big", "a", "b"]


def test_a_row_is_found_by_its_name():
    assert report(row("a", 1), row("b", 2)).row("a") == row("a", 1)


def test_asking_for_a_name_that_never_closed_says_so():
    with pytest.raises(KeyError, match="no scope named 'c'"):
        report(row("a")).row("c")


def test_str_is_the_text_table():
    assert "checkout" in str(report(row("checkout")))


def test_json_without_the_later_fields_is_read():
    document = report(row("a")).to_dict()
    for field in ("created_at", "program", "timeline"):
        del document[field]
    for field in ("retained", "histogram", "native_bytes_allocated", "native_allocations"):
        del document["scopes"][0][field]
    read = Report.from_dict(document)
    assert (read.created_at, read.program, read.timeline) == (None, None, ())
    only = read.rows[0]
    assert (only.retained, only.histogram) == (None, ())
    assert (only.native_bytes_allocated, only.native_allocations) == (None, None)


def test_unknown_fields_of_the_same_version_are_ignored():
    original = report(row("a"), timeline=(MemorySample(0.5, 16, 1, None),))
    document = original.to_dict()
    document["machine_id"] = "x"
    document["timeline"][0].append("a later field")
    document["scopes"][0]["gpu_bytes"] = 3
    document["scopes"][0]["peak_bytes"]["p999"] = 3
    assert Report.from_dict(document) == original


def test_what_json_cannot_hold_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        report(row("a", bytes_allocated=distribution(mean=float("nan")))).to_json()


def test_the_error_is_one_of_this_library_and_a_value_error():
    assert issubclass(ReportFormatError, AllocmeterError)
    assert issubclass(ReportFormatError, ValueError)


@pytest.mark.parametrize(
    ("low", "high", "is_significant"),
    [(1, 2, True), (-2, -1, True), (0, 1, False), (-1, 0, False), (0, 0, False), (-1, 1, False)],
)
def test_growth_is_significant_where_its_interval_leaves_0_out(low, high, is_significant):
    assert RetainedGrowth(0.5, low, high, 0).is_significant is is_significant


def test_whether_native_memory_is_seen_is_asked_once_for_all_rows(monkeypatch):
    asked = []
    monkeypatch.setattr(preload, "is_seen", lambda: bool(asked.append(1)))
    registry = Registry()
    times = []
    for number in range(5):
        with registry.measure(f"name {number}"):
            pass
        asked.clear()
        assert len(registry.report().rows) == number + 1
        times.append(len(asked))
    assert times[0] > 0
    assert set(times) == {times[0]}
