"""The text of a comparison: table, new leaks, warnings, failures."""

from __future__ import annotations

import pytest

from allocmeter.limits import parse_limits
from allocmeter.regressions import violations
from allocmeter.renderers.comparison import render, render_violations
from allocmeter.renderers.printable import columns
from allocmeter.report_comparison import compare_reports
from comparisons import compared, distribution, leaking, report, row


def words(text):
    return [line.split() for line in text.splitlines()]


def test_a_name_has_a_line_before_one_now_and_one_for_the_change():
    before = row(retained_bytes=4096)
    now = row(
        calls=210,
        bytes_allocated=distribution(10_500),
        allocations=distribution(40.008),
        retained_bytes=2048,
    )
    headings, _, rule, *lines = str(compared(before, now)).splitlines()
    assert headings.split() == ["bytes", "allocations", "peak", "retained"]
    assert set(rule) == {"-"}
    assert words("\n".join(lines)) == [
        ["work", "baseline", "200", "9.8", "KiB", "40", "9.8", "KiB", "4.0", "KiB", "ok"],
        ["now", "210", "10.3", "KiB", "40.0", "9.8", "KiB", "2.0", "KiB", "ok"],
        ["change", "+5.0%", "+5.0%", "~", "=", "-50.0%"],
    ]


def test_columns_line_up():
    lines = str(compared(row("name"), row("name", 12_345_678))).splitlines()
    assert len({line.rindex("KiB") for line in lines[3:5] if "KiB" in line}) == 1
    assert lines[1].index("verdict") == lines[3].index("ok")


def test_growth_from_nothing_and_manyfold_growth_are_no_percentages():
    *_, change = str(compared(row("a", 0), row("a", 2048))).splitlines()
    assert "+2.0 KiB" in change
    *_, change = str(compared(row("a", 1000), row("a", 123_456))).splitlines()
    assert "x123" in change
    *_, change = str(compared(row("a", 1), row("a", 2**63))).splitlines()
    assert "x9.22e+18" in change


def test_names_on_one_side_have_one_line():
    text = str(compare_reports(report(row("old")), report(row("added"))))
    assert [line[:2] for line in words(text)[-2:]] == [["added", "new"], ["old", "gone"]]


def test_names_without_a_change_are_counted_only():
    before, now = report(row("a"), row("b"), row("c")), report(row("a"), row("b"), row("c", 1))
    text = str(compare_reports(before, now))
    assert text.splitlines()[-1] == "unchanged (within 0.05%): 2 of 3"
    assert "a  " not in text
    assert str(compare_reports(before, before)) == "unchanged (within 0.05%): 3 of 3"


def test_another_verdict_is_a_change():
    peaking = row(peak_bytes=distribution(10_000, max=10_000_000))
    lines = words(str(compared(row(), peaking)))
    assert [line[-1] for line in lines[-3:-1]] == ["ok", "peaks"]


def test_a_new_leak_stands_above_everything_else():
    before = report(row("a"), row("b", calls=5), row("c"))
    now = report(row("a", 90_000), leaking("b"), leaking("c"))
    lines = render(compare_reports(before, now), max_rows=1).splitlines()
    leaks = [line for line in lines if line.startswith("NEW LEAK")]
    assert "NEW LEAK  c  keeps 1.0 KiB a call: 200 KiB still alive after 200 calls" in leaks
    assert any("b  keeps" in line and "too few calls to tell" in line for line in leaks)
    assert lines.index("") > max(map(lines.index, leaks))
    assert lines[-1] == "and 2 more that changed"


def test_figures_that_cannot_be_compared_are_marked():
    comparison = compare_reports(report(row()), report(row(), native=""))
    lines = str(comparison).splitlines()
    assert lines[0].startswith("warning: only one of the reports contains native memory")
    assert lines[0].endswith("Measure both with native memory, or both without")
    assert lines[-1].split() == ["change", "=", "?", "?", "?", "?"]


def test_empty_reports_say_so():
    assert str(compare_reports(report(), report())) == "neither report has a name"


@pytest.mark.parametrize("option", ["max_rows", "width"])
def test_options_below_one_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} is 0; give 1 or more"):
        render(compared(row(), row()), **{option: 0})


HOSTILE = ["a\nFAILED  x", "\x1b[2Jclear", "\u202eevil", "名" * 50, "\ud800", "x" * 100_000, ""]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_on_their_line(name):
    calls = compared(row(name, calls=1), leaking(name, calls=200))
    text = render(calls, width=100)
    assert calls.warnings
    warning, leak, empty, *table = text.splitlines()
    assert (warning[:8], leak[:8], empty, len(table)) == ("warning:", "NEW LEAK", "", 6)
    for line in (warning, leak, *table):
        assert line.isprintable()
    assert all(columns(line) <= 100 for line in table)
    failures = render_violations(violations(calls, parse_limits("retained:0"))).splitlines()
    assert [line[:8] for line in failures] == ["FAILED  "]
    assert failures[0].isprintable()
    assert len(failures[0]) < 400
