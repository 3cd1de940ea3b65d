"""`allocmeter report`: every format, where it is written, and what is no report."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from allocmeter import cli
from allocmeter.renderers import html, text
from allocmeter.reports import Report
from html_pages import page_of
from sample_reports import CACHE, PARSE, START, ZIP, endpoint, report

SMALL = report(START, CACHE, ZIP, PARSE)


@pytest.fixture
def saved(tmp_path):
    file = tmp_path / "report.json"
    file.write_text(SMALL.to_json())
    return file


def run(*arguments):
    return cli.main(["report", *map(str, arguments)])


def test_a_report_is_shown_as_text(saved, capsys):
    assert run(saved) == 0
    assert capsys.readouterr().out == text.render(SMALL) + "\n"


def test_the_text_is_shaped_by_options(saved, capsys):
    assert run(saved, "--top", 2, "--sort", "peak", "--width", 90) == 0
    shown = text.render(SMALL, max_rows=2, sort="peak", width=90)
    assert capsys.readouterr().out == shown + "\n"


def test_a_report_is_shown_as_html(saved, capsys):
    assert run(saved, "--format", "html", "--top", 2, "--sort", "name") == 0
    assert capsys.readouterr().out == html.render(SMALL, max_rows=2, sort="name")


def test_json_comes_out_normalised(saved, capsys):
    document = SMALL.to_dict() | {"unknown": 1}
    document["scopes"].reverse()
    saved.write_text(json.dumps(document))
    assert run(saved, "--format", "json") == 0
    assert capsys.readouterr().out == SMALL.to_json(indent=2) + "\n"


def test_a_report_is_read_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SMALL.to_json().encode())))
    assert run("-") == 0
    assert capsys.readouterr().out == text.render(SMALL) + "\n"


@pytest.mark.parametrize(
    ("name", "format_"),
    [("out.html", "html"), ("out.HTM", "html"), ("out.json", "json"), ("out", "text")],
)
def test_the_name_of_the_output_says_the_format(saved, tmp_path, capsys, name, format_):
    target = tmp_path / name
    assert run(saved, "-o", target) == 0
    assert capsys.readouterr().out == ""
    expected = {
        "html": html.render(SMALL),
        "json": SMALL.to_json(indent=2) + "\n",
        "text": text.render(SMALL) + "\n",
    }
    assert target.read_text(encoding="utf-8") == expected[format_]


def test_a_format_that_is_given_wins_over_the_name(saved, tmp_path):
    target = tmp_path / "out.html"
    assert run(saved, "-o", target, "--format", "json") == 0
    assert Report.from_json(target.read_text()) == SMALL


def test_a_file_may_be_replaced_by_what_is_made_of_it(saved):
    assert run(saved, "-o", saved) == 0
    assert Report.from_json(saved.read_text()) == SMALL


def test_an_output_is_untouched_when_the_report_is_damaged(saved, tmp_path, capsys):
    target = tmp_path / "out.html"
    target.write_text("older")
    saved.write_text("{")
    assert run(saved, "-o", target) == 2
    assert target.read_text() == "older"
    assert sorted(tmp_path.iterdir()) == [target, saved]


def test_an_output_that_cannot_be_written_is_a_message(saved, tmp_path, capsys):
    assert run(saved, "-o", tmp_path / "missing" / "out.html") == 2
    output = capsys.readouterr()
    assert output.err.startswith("allocmeter: cannot write ")
    assert output.err.endswith("No such file or directory\n")


def test_the_width_is_that_of_the_terminal(saved, capsys, monkeypatch):
    saved.write_text(report(endpoint("GET /" + "long/" * 50)).to_json())
    monkeypatch.setenv("COLUMNS", "91")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(saved) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) == 91


def assert_one_line(capsys, message):
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("allocmeter: ")
    assert output.err.count("\n") == 1
    assert message in output.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (SMALL.to_json().encode()[:-200], "cannot be read as JSON"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "cannot be read as JSON"),
        (b"<html></html>", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b'{"schema_version": ' + b"9" * 5000 + b"}", "cannot be read as JSON"),
        (b"[]", "the document should be an object"),
        (b'{"traceEvents": []}', "schema_version is missing"),
        (b'{"schema_version": 2}', "schema version 2, and this allocmeter reads version 1"),
        (b'{"schema_version": NaN}', "should be a whole number"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("place", ["file", "stdin"])
def test_what_is_no_report_is_a_message(saved, capsys, monkeypatch, place, content, message):
    saved.write_bytes(content)
    if place == "stdin":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run(saved if place == "file" else "-") == 2
    assert_one_line(capsys, message)


def test_a_message_names_the_file(saved, capsys):
    saved.write_text("{}")
    run(saved)
    assert_one_line(capsys, str(saved))


def test_a_file_that_is_not_there_is_a_message(tmp_path, capsys):
    assert run(tmp_path / "missing.json") == 2
    assert_one_line(capsys, "missing.json: No such file or directory")


def test_a_directory_is_a_message(tmp_path, capsys):
    assert run(tmp_path) == 2
    assert_one_line(capsys, "Is a directory")


def test_a_hostile_file_name_is_escaped_in_the_message(tmp_path, capsys):
    assert run(tmp_path / "\x1b[2J\nno") == 2
    assert_one_line(capsys, r"\x1b[2J\nno: No such file")


@pytest.mark.parametrize("failure", [None, OSError(5, "Input/output error")])
def test_standard_input_that_cannot_be_read_is_a_message(monkeypatch, capsys, failure):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise failure

    broken = None if failure is None else io.TextIOWrapper(Broken())
    monkeypatch.setattr(sys, "stdin", broken)
    assert run("-") == 2
    assert_one_line(capsys, "cannot read standard input: ")


@pytest.mark.parametrize(
    ("format_", "option"),
    [
        ("json", ["--top", "3"]),
        ("json", ["--sort", "peak"]),
        ("json", ["--width", "80"]),
        ("html", ["--width", "80"]),
    ],
)
def test_an_option_without_a_meaning_is_refused(saved, capsys, format_, option):
    assert run(saved, "--format", format_, *option) == 2
    assert_one_line(capsys, f"{option[0]} has no meaning for {format_}; leave it out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: FILE"),
        (["x", "--format", "pdf"], "invalid choice: 'pdf'"),
        (["x", "--sort", "size"], "invalid choice: 'size'"),
        (["x", "--top", "0"], "argument --top: 0 is below 1"),
        (["x", "--width", "wide"], "argument --width: 'wide' is not a whole number"),
    ],
)
def test_wrong_arguments_end_with_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["text", "html", "json"])
def test_an_output_that_is_no_unicode_is_no_crash(saved, format_):
    saved.write_text(report(endpoint("日本語")).to_json())
    run = subprocess.run(
        [sys.executable, "-m", "allocmeter", "report", str(saved), "--format", format_],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        check=True,
    )
    shown = run.stdout.decode("ascii")
    if format_ == "html":
        assert page_of(shown).all("summary")[0].text == "日本語"
    elif format_ == "json":
        assert Report.from_json(shown).rows[0].name == "日本語"
    else:
        assert "\n???  " in shown


def test_help_shows_examples_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    shown = capsys.readouterr().out
    assert "allocmeter report report.json -o report.html" in shown
    assert "exit status: 0, or 2" in shown
