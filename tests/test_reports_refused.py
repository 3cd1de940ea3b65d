"""What is not a sound report: refused as a whole, with the place and the reason."""

from __future__ import annotations

import pytest

from allocmeter.errors import ReportFormatError
from allocmeter.report_format import SCHEMA_VERSION
from allocmeter.reports import Report
from sample_reports import report, row


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, 0])
def test_another_schema_version_is_refused_before_anything_else_is_read(version):
    with pytest.raises(ReportFormatError, match=rf"schema version {version}.*reads version 1"):
        Report.from_dict({"schema_version": version})


def test_every_truncation_of_a_report_is_refused():
    text = report(row("a")).to_json()
    for length in range(len(text)):
        with pytest.raises(ReportFormatError):
            Report.from_json(text[:length])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        '{"schema_version": "1"}',
        '{"schema_version": true}',
        '{"version": "1.0", "shared": {}}',
        b"\xff\xfe\xff",
        b"\x1f\x8b\x08",
        "[" * 100_000,
        '{"schema_version": ' + "9" * 5000 + "}",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_foreign_data_is_refused(text):
    with pytest.raises(ReportFormatError, match="Nothing was loaded"):
        Report.from_json(text)


DISTRIBUTIONS = ("bytes_allocated", "allocations", "peak_bytes", "retained")
INTEGERS = [
    *[(field,) for field in ("count", "errors", "cancelled", "late_bytes_allocated")],
    *[(field,) for field in ("retained_bytes", "retained_allocations")],
    *[(field, figure) for field in DISTRIBUTIONS for figure in ("sum", "min", "max")],
]
NUMBERS = [(field, figure) for field in DISTRIBUTIONS for figure in ("mean", "p50", "p95", "p99")]
NO_FIGURES = [
    -1,
    -1.5,
    5e-324,
    2**64,
    10**5000,
    float("nan"),
    float("inf"),
    True,
    "1",
    [1],
    {},
    None,
]


def put(path, value):
    """A sound report in which one place holds this value instead; its path as users see it."""
    document = report(row("a", 512)).to_dict()
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return document, f"report{place}"


def assert_refused(path, value):
    document, place = put(path, value)
    with pytest.raises(ReportFormatError) as refusal:
        Report.from_dict(document)
    assert place in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("path", INTEGERS + NUMBERS, ids=".".join)
def test_what_is_no_figure_is_refused(path):
    for value in NO_FIGURES:
        assert_refused(("scopes", 0, *path), value)


@pytest.mark.parametrize("path", INTEGERS, ids=".".join)
def test_a_fraction_is_no_count(path):
    assert_refused(("scopes", 0, *path), 1.5)


@pytest.mark.parametrize("path", INTEGERS + NUMBERS, ids=".".join)
def test_a_missing_figure_is_refused(path):
    document = report(row("a", 512)).to_dict()
    parent = document["scopes"][0]
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    with pytest.raises(ReportFormatError, match=rf"scopes\[0\].*{path[-1]} is missing"):
        Report.from_dict(document)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("allocmeter",), [None, 1, ["0.1.0"]]),
        (("python",), [None, 3.12]),
        (("platform",), [None, {}]),
        (("created_at",), [1767323045, []]),
        (("backend",), [None, "native", []]),
        (("process",), [None, 1, [["rss", 1]]]),
        (("scopes",), [None, {}, "scopes"]),
        (("scopes", 0), [None, [], "row"]),
        (("scopes", 0, "name"), [None, 1]),
        (("scopes", 0, "peak_bytes"), [None, 512, [512]]),
        (("scopes", 0, "retained"), [512, []]),
        (("scopes", 0, "histogram"), [7, {}, [7], [[0, 1]], [[0, 1, 2, 3]], [[1, 0, 2]]]),
        (("scopes", 0, "histogram"), [[[0, 1, -1]], [[0, 1, 1.5]], [[0, "1", 1]]]),
        (("scopes", 0, "native_bytes_allocated"), [-1, 1.5, "1", True, 2**64]),
        (("scopes", 0, "native_allocations"), [-1, 1.5, "1", True, 2**64]),
        (("program",), [1, ["python"]]),
        (("timeline",), [7, {}, "", [7], [{}], [[]], [[0.5, 1, 1]]]),
        (("timeline",), [[[-1, 1, 1, 1]], [[float("nan"), 1, 1, 1]], [["0", 1, 1, 1]]]),
        (("timeline",), [[[1, 2**64, 1, 1]], [[1, 1.5, 1, 1]], [[1, 1, None, 1]]]),
        (("timeline",), [[[1, 1, 1, -1]], [[1, 1, 1, True]], [[1, -(2**64), 1, 1]]]),
    ],
)
def test_a_field_of_another_kind_is_refused(path, values):
    for value in values:
        assert_refused(path, value)


def test_a_name_that_stands_twice_is_refused():
    document = report(row("a"), row("b")).to_dict()
    document["scopes"][1]["name"] = "a"
    with pytest.raises(ReportFormatError, match="one name twice"):
        Report.from_dict(document)


def test_a_timeline_that_runs_backwards_is_refused():
    document = report(row("a")).to_dict()
    document["timeline"] = [[2.0, 1, 1, 1], [1.0, 1, 1, 1]]
    with pytest.raises(ReportFormatError, match=r"report\.timeline is not in the order of time"):
        Report.from_dict(document)


def test_the_place_of_a_damaged_sample_is_told():
    document = report(row("a")).to_dict()
    document["timeline"] = [[1.0, 1, 1, 1], [2.0, "1", 1, 1]]
    with pytest.raises(ReportFormatError, match=r"report\.timeline\[1\] should be a whole number"):
        Report.from_dict(document)
