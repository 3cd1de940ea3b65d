"""The `allocmeter` command where its input or output is closed, full or badly named."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from allocmeter import cli
from allocmeter.doctor import diagnosis
from allocmeter.doctor.checks import Check
from sample_reports import CACHE, PARSE, report
from test_doctor import diagnosis_of

COMMAND = [sys.executable, "-m", "allocmeter"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="files are closed by a POSIX shell")
OUTPUTS = [
    ["report", "saved.json"],
    ["report", "saved.json", "--format", "json"],
    ["report", "saved.json", "--format", "html"],
    ["compare", "saved.json", "saved.json", "--fail-on", "bytes:5%"],
    ["compare", "saved.json", "saved.json", "--format", "json"],
    ["doctor"],
    ["doctor", "--json"],
]


@pytest.fixture(autouse=True)
def saved(tmp_path, monkeypatch):
    """A directory with a report, and a doctor that is quick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(diagnosis, "diagnose", lambda _: diagnosis_of(Check("trio", "ok", "so")))
    file = tmp_path / "saved.json"
    file.write_text(report(CACHE, PARSE).to_json())
    return file


def with_closed(redirection, *arguments):
    shell = f'exec "$@" {redirection}'
    command = ["sh", "-c", shell, "sh", *COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_a_closed_standard_output_is_a_message(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "stdout", None)
    assert cli.main(arguments) == 2
    error = "allocmeter: cannot write standard output: it is closed\n"
    assert capsys.readouterr().err == error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", OUTPUTS[:5], ids=" ".join)
def test_a_full_standard_output_is_a_message(arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            check=False,
        )
    error = "allocmeter: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, error)


@posix_only
@pytest.mark.parametrize(
    ("redirection", "status", "error"),
    [
        ("<&-", 0, ""),
        (">&-", 2, "allocmeter: cannot write standard output: it is closed\n"),
        ("<&- 2>&-", 0, ""),
    ],
)
def test_the_doctor_works_where_standard_files_are_closed(redirection, status, error):
    done = with_closed(redirection, "doctor", "--json")
    assert (done.returncode, done.stderr) == (status, error)


@posix_only
def test_an_error_is_said_where_standard_output_is_closed():
    done = with_closed(">&-", "run")
    assert done.returncode == 2
    assert done.stderr.startswith("allocmeter run: what is to be run?")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "cannot write a file without a name"),
        ("a\nb\x1b[2J/x", r"cannot write a\nb\x1b[2J/x: No such file or directory"),
    ],
)
@pytest.mark.parametrize("arguments", [["report", "saved.json", "-o"], ["demo", "--json"]])
def test_a_name_of_an_output_that_is_none_is_a_message(capsys, arguments, name, message):
    assert cli.main([*arguments, name]) == 2
    assert capsys.readouterr() == ("", f"allocmeter: {message}\n")


# Standard input ---------------------------------------------------------------------------------


def given(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("files", [["-", "saved.json"], ["saved.json", "-"]])
def test_one_of_two_reports_may_come_from_standard_input(monkeypatch, capsys, saved, files):
    given(monkeypatch, saved.read_bytes())
    assert cli.main(["compare", *files]) == 0
    assert "2 of 2" in capsys.readouterr().out


def test_both_reports_cannot_come_from_standard_input(monkeypatch, capsys, saved):
    given(monkeypatch, saved.read_bytes())
    assert cli.main(["compare", "-", "-"]) == 2
    error = "allocmeter: both reports cannot come from standard input; name a file for one\n"
    assert capsys.readouterr().err == error


def test_what_is_no_report_on_standard_input_of_a_comparison_is_a_message(monkeypatch, capsys):
    given(monkeypatch, b"no report")
    assert cli.main(["compare", "-", "saved.json"]) == 2
    assert capsys.readouterr().err.startswith("allocmeter: standard input: this is not a report")


# Whole numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--top", "1_0", "x.py"], "'1_0' is not a whole number from 1"),
        (["run", "--top", "٣", "x.py"], "'٣' is not a whole number from 1"),
        (["run", "--top", "9" * 5000, "x.py"], f"'{'9' * 60}' is not a whole number from 1"),
        (["run", "--top=-3", "x.py"], "'-3' is not a whole number from 1"),
        (["report", "x", "--width", "1_0"], "'1_0' is not a whole number"),
        (["report", "x", "--width=-3"], "argument --width: -3 is below 1"),
        (["report", "x", "--top", "9" * 5000], f"'{'9' * 60}' is not a whole number"),
        (["demo", "--seed", "9" * 900], f"{'9' * 60} is not between 0 and 4,294,967,295"),
        (["demo", "--seed", "--"], "expected one argument"),
    ],
)
def test_what_is_no_whole_number_is_quoted_and_refused(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_whole_number_may_be_larger_than_any_table(capsys):
    assert cli.main(["report", "saved.json", "--top", "9" * 30, "--width", "9" * 12]) == 0
    assert capsys.readouterr().err == ""
