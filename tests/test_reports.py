"""The report as a value and as JSON: what survives the trip, and what is refused."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.errors import AllocmeterError, ReportFormatError
from allocmeter.reports import SCHEMA_VERSION, Distribution, Report, ReportRow

figures = st.integers(min_value=0, max_value=2**64 - 1)
quantiles = figures | st.floats(min_value=0, max_value=2.0**63, allow_nan=False)
distributions = st.builds(
    Distribution,
    sum=figures,
    min=figures,
    mean=quantiles,
    p50=quantiles,
    p95=quantiles,
    p99=quantiles,
    max=figures,
)
buckets = st.tuples(figures, figures, figures).map(lambda b: (min(b[:2]), max(b[:2]), b[2]))
rows = st.builds(
    ReportRow,
    name=st.text(st.characters(), max_size=20),  # lone surrogates and control characters too
    count=figures,
    errors=figures,
    cancelled=figures,
    bytes_allocated=distributions,
    allocations=distributions,
    peak_bytes=distributions,
    retained_bytes=figures,
    retained_allocations=figures,
    late_bytes_allocated=figures,
    retained=st.none() | distributions,
    histogram=st.lists(buckets, max_size=3).map(tuple),
)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
facts = st.dictionaries(st.text(max_size=10), scalars | st.lists(scalars, max_size=3), max_size=3)
reports = st.builds(
    Report,
    rows=st.lists(rows, max_size=3, unique_by=lambda row: row.name).map(tuple),
    allocmeter=st.text(max_size=10),
    python=st.text(max_size=10),
    platform=st.text(max_size=10),
    backend=facts,
    process=facts,
    created_at=st.none() | st.text(max_size=30),
)


def distribution(value=0, **figures):
    every = dict.fromkeys(("sum", "min", "mean", "p50", "p95", "p99", "max"), value)
    return Distribution(**{**every, **figures})


def row(name, allocated=0, **changes):
    fields = {
        "name": name,
        "count": 1,
        "errors": 0,
        "cancelled": 0,
        "bytes_allocated": distribution(allocated),
        "allocations": distribution(1),
        "peak_bytes": distribution(allocated),
        "retained_bytes": 0,
        "retained_allocations": 0,
        "late_bytes_allocated": 0,
        "retained": distribution(),
        "histogram": ((512, 528, 1),),
    }
    return ReportRow(**{**fields, **changes})


def report(*rows):
    return Report(
        rows=rows,
        allocmeter="0.1.0",
        python="3.12.4",
        platform="Linux x86_64",
        backend={"domains": ["python"]},
        process={"rss": 1024},
        created_at="2026-01-02T03:04:05+00:00",
    )


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
    document = json.loads(report(row("checkout", 512)).to_json())
    assert document == {
        "schema_version": 1,
        "allocmeter": "0.1.0",
        "python": "3.12.4",
        "platform": "Linux x86_64",
        "created_at": "2026-01-02T03:04:05+00:00",
        "backend": {"domains": ["python"]},
        "process": {"rss": 1024},
        "scopes": [
            {
                "name": "checkout",
                "count": 1,
                "errors": 0,
                "cancelled": 0,
                "bytes_allocated": dict.fromkeys(
                    ("sum", "min", "mean", "p50", "p95", "p99", "max"), 512
                ),
                "allocations": dict.fromkeys(("sum", "min", "mean", "p50", "p95", "p99", "max"), 1),
                "peak_bytes": dict.fromkeys(
                    ("sum", "min", "mean", "p50", "p95", "p99", "max"), 512
                ),
                "retained_bytes": 0,
                "retained_allocations": 0,
                "late_bytes_allocated": 0,
                "retained": dict.fromkeys(("sum", "min", "mean", "p50", "p95", "p99", "max"), 0),
                "histogram": [[512, 528, 1]],
            }
        ],
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
    del document["created_at"]
    del document["scopes"][0]["retained"]
    del document["scopes"][0]["histogram"]
    read = Report.from_dict(document)
    assert read.created_at is None
    assert read.rows[0].retained is None
    assert read.rows[0].histogram == ()


def test_unknown_fields_of_the_same_version_are_ignored():
    original = report(row("a"))
    document = original.to_dict()
    document["machine_id"] = "x"
    document["scopes"][0]["gpu_bytes"] = 3
    document["scopes"][0]["peak_bytes"]["p999"] = 3
    assert Report.from_dict(document) == original


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
NO_FIGURES = [-1, -1.5, 2**64, 10**5000, float("nan"), float("inf"), True, "1", [1], {}, None]


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


def test_what_json_cannot_hold_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        report(row("a", bytes_allocated=distribution(mean=float("nan")))).to_json()


def test_the_error_is_one_of_this_library_and_a_value_error():
    assert issubclass(ReportFormatError, AllocmeterError)
    assert issubclass(ReportFormatError, ValueError)
