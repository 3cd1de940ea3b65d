"""`allocmeter compare`: what it prints and how it ends."""

from __future__ import annotations

import json
import sys

import pytest

from allocmeter import cli
from comparisons import distribution, leaking, report, row


@pytest.fixture
def compare(tmp_path, capsys):
    """Run the command on two reports; returns the exit status, standard output and error."""

    def run(before, now, *options):
        paths = [tmp_path / "before.json", tmp_path / "now.json"]
        for path, content in zip(paths, (before, now), strict=True):
            path.write_text(content if isinstance(content, str) else content.to_json())
        status = cli.main(["compare", *map(str, paths), *options])
        return status, *capsys.readouterr()

    return run


def usage_error(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_without_limits_the_status_is_0_whatever_changed(compare):
    status, out, err = compare(report(row()), report(leaking()))
    assert (status, err) == (0, "")
    assert out.startswith("NEW LEAK  work  keeps 1.0 KiB a call")
    assert "limit" not in out


def test_within_the_limits_the_status_is_0(compare):
    status, out, _ = compare(
        report(row()), report(row(allocated=10_400)), "--fail-on", "bytes:5%,allocations:0"
    )
    assert status == 0
    assert out.splitlines()[-1] == "within the limits: bytes:5%, allocations:0"


def test_beyond_a_limit_the_status_is_1_and_every_failure_is_a_line(compare):
    now = report(row("a", 10_600), leaking("b"), row("c"))
    status, out, err = compare(
        report(row("a"), row("b"), row("c")), now, "--fail-on", "bytes:5%,retained:1KiB"
    )
    assert (status, err) == (1, "")
    retained = (
        "FAILED  b: retained 0 B -> 200 KiB (+200 KiB), 1.0 KiB allowed; new leak: keeps 1.0 KiB "
        "a call: 200 KiB still alive after 200 calls"
    )
    assert out.split("\n\n")[-1].splitlines() == [
        retained,
        "FAILED  a: bytes 9.8 KiB -> 10.4 KiB a call (+600 B, +6.00%), 5% allowed",
    ]


def test_top_shortens_the_table_but_not_the_check(compare):
    before, now = (report(row("a", size), row("b", size)) for size in (10_000, 20_000))
    status, out, _ = compare(before, now, "--top", "1", "--fail-on", "bytes:5%")
    assert status == 1
    assert "and 1 more that changed" in out
    assert out.count("FAILED") == 2


def test_json_holds_the_comparison_and_the_failures(compare):
    status, out, err = compare(
        report(row("a")), report(row("a", 10_600)), "--format", "json", "--fail-on", "bytes:5%"
    )
    document = json.loads(out)
    assert status == 1
    assert document["scopes"][0]["bytes_allocated"]["mean"]["current"] == 10_600
    assert document["limits"] == ["bytes:5%"]
    assert document["violations"] == [
        {
            "name": "a",
            "metric": "bytes",
            "limit": "bytes:5%",
            "change": {"baseline": 10_000, "current": 10_600},
            "reason": "bytes 9.8 KiB -> 10.4 KiB a call (+600 B, +6.00%), 5% allowed",
        }
    ]
    assert err == f"FAILED  a: {document['violations'][0]['reason']}\n"


def test_json_without_failures_says_nothing_on_standard_error(compare):
    status, out, err = compare(report(row()), report(row()), "--format", "json")
    assert (status, err) == (0, "")
    assert json.loads(out)["violations"] == []


def test_a_limit_on_what_cannot_be_compared_is_an_error_after_the_table(compare):
    before, now = report(row()), report(row(), native="")
    status, out, err = compare(before, now, "--fail-on", "peak:5%")
    assert status == 2
    assert "warning: only one of the reports contains native memory" in out
    assert err.startswith("allocmeter: peak of 'work' cannot be compared")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "cannot be read as JSON"),
        ("no report", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"schema_version": 2}', "schema version 2"),
        ('{"benchmarks": []}', "schema_version is missing"),
        (report(row()).to_json()[:-20], "cannot be read as JSON"),
    ],
    ids=["empty", "text", "deep", "newer", "foreign", "truncated"],
)
def test_what_is_no_report_is_named_and_ends_with_status_2(compare, tmp_path, content, reason):
    for before, now, name in (
        (content, report(row()), "before.json"),
        (report(row()), content, "now.json"),
    ):
        status, out, err = compare(before, now, "--fail-on", "bytes:5%")
        assert (status, out) == (2, "")
        assert err.startswith(f"allocmeter: {tmp_path / name}: ")
        assert reason in err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.json", "missing.json: No such file or directory"),
        (".", ".: Is a directory"),
        ("a\0b", r"a\x00b: embedded null byte"),
        ("\x1b[2J\n", r"\x1b[2J\n: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_status_2(capsys, tmp_path, monkeypatch, name, reason):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", name, name]) == 2
    assert capsys.readouterr().err == f"allocmeter: cannot read {reason}\n"


def test_a_malformed_limit_is_a_usage_error_with_the_part_and_the_grammar(capsys):
    error = usage_error(capsys, "a", "b", "--fail-on", "bytes:5%,rss:1KiB")
    assert "argument --fail-on: 'rss:1KiB' names no metric: 'rss'; expected METRIC:LIMIT" in error


@pytest.mark.parametrize("top", ["0", "-1", "many", "1_0", "٣", "9" * 5000])
def test_top_is_a_whole_number_from_1(capsys, top):
    assert "is not a whole number from 1" in usage_error(capsys, "a", "b", f"--top={top}")


def test_both_reports_and_a_known_format_are_needed(capsys):
    assert "required: CURRENT" in usage_error(capsys, "a")
    assert "invalid choice: 'html'" in usage_error(capsys, "a", "b", "--format", "html")


def test_help_explains_the_metrics_the_noise_rule_and_the_statuses(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for part in (
        "bytes:5%,allocations:0,retained:1KiB",
        "the median or the 95th",
        "4 KiB",
        "exit status",
    ):
        assert part in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_names_that_the_terminal_cannot_show_are_marked(compare, monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="ascii") as narrow:
        monkeypatch.setattr(sys, "stdout", narrow)
        status, *_ = compare(
            report(row("ähm")), report(row("ähm", 20_000)), "--fail-on", "bytes:1%"
        )
    assert status == 1
    assert "FAILED  ?hm: bytes" in (tmp_path / "out").read_text()


def test_figures_as_large_as_a_report_can_hold_are_shown(compare):
    huge = row(
        bytes_allocated=distribution(2**64 - 1, sum=2**64 - 1),
        peak_bytes=distribution(2**64 - 1, sum=2**64 - 1),
        retained_bytes=2**64 - 1,
    )
    status, out, _ = compare(report(row(allocated=0)), report(huge), "--fail-on", "bytes:5%,peak:0")
    assert status == 1
    assert "16,777,216 TiB" in out
