"""Two reports side by side: names, changes, verdicts, and whether they can be compared."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.comparison import Change
from allocmeter.report_comparison import compare_reports
from comparisons import compared, distribution, leaking, report, row


def test_rows_are_matched_by_name_and_every_figure_is_compared():
    before = row(
        calls=100,
        bytes_allocated=distribution(1000, min=900, p50=1010, p95=1100),
        retained_bytes=64,
    )
    now = row(
        calls=150,
        bytes_allocated=distribution(2000, min=900, p50=2020, p95=2100),
        allocations=distribution(41),
        peak_bytes=distribution(700),
        retained_bytes=32,
    )
    [found] = compared(before, now).rows
    assert (found.name, found.presence) == ("work", "both")
    assert found.calls == Change(100, 150)
    assert found.bytes_allocated.mean == Change(1000, 2000)
    assert found.bytes_allocated.min == Change(900, 900)
    assert found.bytes_allocated.p50 == Change(1010, 2020)
    assert found.bytes_allocated.p95 == Change(1100, 2100)
    assert found.allocations.mean == Change(40, 41)
    assert found.peak_bytes.mean == Change(10_000, 700)
    assert found.retained_bytes == Change(64, 32)


def test_new_and_vanished_names_count_from_and_to_nothing():
    comparison = compare_reports(report(row("old"), row("same")), report(row("same"), row("added")))
    assert [(found.name, found.presence) for found in comparison.rows] == [
        ("added", "new"),
        ("same", "both"),
        ("old", "gone"),
    ]
    added, old = comparison.row("added"), comparison.row("old")
    assert added.bytes_allocated.mean == Change(0, 10_000)
    assert (added.baseline_verdict, added.current_verdict.kind) == (None, "ok")
    assert old.calls == Change(200, 0)
    assert (old.baseline_verdict.kind, old.current_verdict) == ("ok", None)


def test_asking_for_a_name_of_neither_report_says_so():
    with pytest.raises(KeyError, match="no scope named 'other' in either report"):
        compared(row(), row()).row("other")


def test_new_leaks_come_first_and_then_what_allocates_most_more():
    before = report(row("a"), row("b"), row("c"), row("d"), row("e"))
    now = report(row("a", 9_000), row("b", 12_000), leaking("c", calls=20), row("d", 11_000))
    assert [found.name for found in compare_reports(before, now).rows] == ["c", "b", "d", "a", "e"]


def test_a_little_more_in_many_calls_weighs_more_than_much_more_in_one():
    before = report(row("once", calls=1), row("often"))
    now = report(row("once", 20_000, calls=1), row("often", 10_100))
    assert [found.name for found in compare_reports(before, now).rows] == ["often", "once"]


@pytest.mark.parametrize(
    ("before", "now", "is_new"),
    [
        (row(), leaking(), True),
        (row(calls=5), leaking(), True),
        (leaking(), leaking(size=4096), False),
        (leaking(), row(), False),
        (row(), row(), False),
        (leaking(), leaking(calls=5), False),
    ],
)
def test_a_leak_is_new_unless_the_baseline_has_it(before, now, is_new):
    assert compared(before, now).row("work").is_new_leak is is_new


@pytest.mark.parametrize(
    ("before", "now", "is_new"),
    [
        (100_000, 109_999, False),
        (100_000, 110_000, False),  # one tenth more is still a hair
        (100_000, 110_001, True),
        (200_000, 100_000, False),
        (0, 6_000, True),
    ],
)
def test_a_leak_that_retains_hardly_more_than_the_baseline_is_not_new(before, now, is_new):
    # The baseline retained as much in other calls, and so was just not called leaking.
    was = row(retained_bytes=before)
    found = compared(was, leaking(size=80, retained_bytes=now)).row("work")
    assert [found.baseline_verdict.kind, found.current_verdict.kind] == ["ok", "leaks"]
    assert found.is_new_leak is is_new


def test_a_new_name_that_leaks_is_a_new_leak():
    assert compare_reports(report(), report(leaking())).row("work").is_new_leak


def test_comparable_reports_need_no_warning():
    assert compare_reports(report(row()), report(row())).warnings == ()
    assert compare_reports(report(), report()).warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"python": "cpython 3.12.9"},
        {"platform": "Linux 6.18.44-cloud x86_64, 2 CPUs"},
        {"created_at": None},
        {"process": {}},
    ],
)
def test_what_hardly_matters_is_not_warned_of(change):
    assert compare_reports(report(row()), report(row(), **change)).warnings == ()


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"python": "cpython 3.13.1"}, "Python differs: cpython 3.12 in the baseline and cpython"),
        ({"python": "pypy 3.12.4"}, "Python differs: cpython 3.12 in the baseline and pypy 3.12"),
        ({"python": ""}, "Python differs: cpython 3.12 in the baseline and  now"),
        ({"platform": "Darwin 24.1.0 arm64, 8 CPUs"}, "Linux x86_64 in the baseline and Darwin a"),
        ({"platform": "Linux 6.1.0 aarch64, 8 CPUs"}, "platform differs: Linux x86_64"),
        ({"allocmeter": "0.2.0"}, "allocmeter differs: 0.1.0 in the baseline and 0.2.0 now"),
        ({"backend": {"gaps": 1}}, "the current report is incomplete"),
        ({"backend": {"unmeasured_scopes": 9}}, "the current report is incomplete"),
    ],
)
def test_what_makes_figures_differ_is_warned_of(change, warning):
    [found] = compare_reports(report(row()), report(row(), **change)).warnings
    assert warning in found


def test_reports_without_a_name_in_common_are_warned_of():
    [warning] = compare_reports(report(row("a")), report(row("b"))).warnings
    assert warning == "no name is in both reports, so there is nothing to compare"


def test_another_number_of_calls_is_warned_of():
    assert compared(row(calls=200), row(calls=220)).warnings == ()
    [warning] = compared(row(calls=200), row(calls=221)).warnings
    assert "differs by more than a tenth for 1 of 1 names, such as work: 200 in the base" in warning
    assert len(compared(row(calls=0), row(calls=1)).warnings) == 1


def test_without_native_memory_on_one_side_it_is_left_out():
    native = row(allocated=15_000, native_bytes_allocated=1_000_000, native_allocations=1000)
    comparison = compare_reports(report(native, native=""), report(row()))
    found = comparison.row("work")
    assert found.bytes_allocated.mean == Change(10_000, 10_000)
    assert found.bytes_allocated.p50 is None
    assert found.allocations.mean == Change(35, 40)
    assert (found.peak_bytes, found.retained_bytes) == (None, None)
    assert "only one of the reports contains native memory" in comparison.warnings[0]


def test_native_memory_of_unknown_size_leaves_nothing_to_compare():
    found = compare_reports(report(row(), native=""), report(row())).row("work")
    assert (found.bytes_allocated, found.allocations, found.peak_bytes) == (None, None, None)


def test_more_native_memory_than_there_is_in_all_leaves_none():
    damaged = row(native_bytes_allocated=2**63, native_allocations=2**63)
    found = compare_reports(report(damaged, native=""), report(row())).row("work")
    assert found.bytes_allocated.mean == Change(0, 10_000)


def test_with_native_memory_on_both_sides_everything_is_compared():
    native = row(native_bytes_allocated=100, native_allocations=1)
    comparison = compare_reports(report(native, native=""), report(native, native=""))
    assert comparison.warnings == ()
    assert comparison.row("work").retained_bytes == Change(0, 0)


@pytest.mark.parametrize("domains", [None, [], "native", {"native": None}, {"native": 0}])
def test_domains_that_cannot_be_read_are_none(domains):
    comparison = compare_reports(report(row()), report(row(), backend={"domains": domains}))
    assert comparison.warnings == ()
    assert comparison.row("work").peak_bytes is not None


def test_a_comparison_can_be_written_as_json():
    comparison = compare_reports(report(row("a")), report(row("a", 0), leaking("b\ud800\x1b")))
    document = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert document["schema_version"] == 1
    assert document["kind"] == "allocmeter-comparison"
    assert [scope["name"] for scope in document["scopes"]] == ["b\ud800\x1b", "a"]
    first, second = document["scopes"]
    assert first["is_new_leak"] is True
    assert first["current_verdict"]["kind"] == "leaks"
    assert second["bytes_allocated"]["mean"] == {"baseline": 10_000, "current": 0}


figures = st.integers(min_value=0, max_value=2**64 - 1)
rows = st.builds(
    row,
    name=st.sampled_from("abc"),
    calls=figures,
    bytes_allocated=st.builds(distribution, figures, calls=figures),
    retained=st.none() | st.builds(distribution, figures),
    retained_bytes=figures,
    native_bytes_allocated=st.none() | figures,
)
reports = st.builds(
    lambda rows, native: report(*rows, native=native),
    st.lists(rows, max_size=3, unique_by=lambda row: row.name),
    st.sampled_from(["", None]),
)


@given(reports, reports)
def test_any_two_sound_reports_can_be_compared_and_shown(before, now):
    comparison = compare_reports(before, now)
    json.dumps(comparison.to_dict(), allow_nan=False)
    for line in str(comparison).splitlines():
        assert line.isprintable()
        assert len(line) < 500
