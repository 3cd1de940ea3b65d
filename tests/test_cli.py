"""The `allocmeter` command: finding commands, errors, exit statuses, files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from allocmeter import cli
from allocmeter.cli import demo
from allocmeter.cli._output import OutputError, replacing
from allocmeter.errors import AllocmeterError, BackendUnavailableError

COMMAND = [sys.executable, "-m", "allocmeter"]


def fail_with(error):
    def run(args):
        raise error

    return run


def test_help_shows_the_commands_and_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "demo" in text
    assert "example:\n  allocmeter demo --json report.json" in text


def test_help_of_a_command_shows_examples_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "examples:\n  allocmeter demo\n" in text
    assert "exit status: 0" in text


def test_the_version_is_that_of_the_distribution(capsys):
    from importlib.metadata import version

    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"allocmeter {version('allocmeter')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["demo", "extra"], "unrecognized arguments: extra"),
        (["demo", "--requests", "0"], "argument --requests: 0 is not between 1 and 1,000,000"),
        (["demo", "--requests", "many"], "argument --requests: 'many' is not a whole number"),
        (["demo", "--concurrency", "-3"], "argument --concurrency: -3 is not between 1 and 500"),
        (["demo", "--seed", "1.5"], "argument --seed: '1.5' is not a whole number"),
        (["demo", "--seconds", "0"], "argument --seconds: 0 is not between 1 and 3,600"),
    ],
)
def test_wrong_arguments_end_with_status_2_and_say_what_is_wrong(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [AllocmeterError("it broke"), BackendUnavailableError("it broke")]
)
def test_an_error_of_the_library_is_a_message_and_status_2(monkeypatch, capsys, error):
    monkeypatch.setattr(demo, "run", fail_with(error))
    assert cli.main(["demo"]) == 2
    assert capsys.readouterr().err == "allocmeter: it broke\n"


def test_a_bug_is_not_hidden(monkeypatch):
    monkeypatch.setattr(demo, "run", fail_with(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])


def test_an_interrupt_ends_with_status_130(monkeypatch, capsys):
    monkeypatch.setattr(demo, "run", fail_with(KeyboardInterrupt()))
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "allocmeter: interrupted\n"


def test_the_status_of_a_command_is_passed_on(monkeypatch):
    monkeypatch.setattr(demo, "run", lambda args: 7)
    assert cli.main(["demo"]) == 7


def test_a_file_in_the_package_is_a_command_unless_its_name_is_private(monkeypatch, tmp_path):
    (tmp_path / "greet.py").write_text(
        "def add_parser(subparsers):\n"
        "    parser = subparsers.add_parser('greet')\n"
        "    parser.add_argument('status', type=int)\n"
        "    return parser\n"
        "def run(args):\n"
        "    return args.status\n"
    )
    (tmp_path / "_private.py").write_text("raise RuntimeError('not a command')\n")
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    try:
        assert cli.main(["greet", "5"]) == 5
    finally:
        sys.modules.pop("allocmeter.cli.greet", None)


def test_a_reader_that_has_enough_is_no_crash():
    code = (
        "import sys\n"
        "from allocmeter import cli\n"
        "from allocmeter.cli import demo\n"
        "demo.run = lambda args: print('x' * 1_000_000) or 0\n"
        "sys.exit(cli.main(['demo']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 2


def test_parsing_a_command_line_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from allocmeter.cli import _parser\n"
        "_parser()\n"
        "print(sorted({'asyncio', 'anyio', 'json', 'importlib.metadata'} & set(sys.modules)))\n"
    )
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert output == "[]\n"


def test_the_package_runs_as_a_module():
    output = subprocess.check_output([*COMMAND, "--help"], text=True)
    assert output.startswith("usage: allocmeter ")


def test_a_replaced_file_is_whole_or_untouched(tmp_path):
    target = tmp_path / "report.json"
    target.write_text("old")
    with replacing(str(target)) as save:
        assert target.read_text() == "old"
        save("new")
    assert target.read_text() == "new"
    with pytest.raises(ZeroDivisionError), replacing(str(target)):
        1 / 0
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    target, other = tmp_path / "report.json", tmp_path / "other"
    with replacing(str(target)) as save:
        assert not target.exists()
        save("text")
    other.write_text("text")
    assert target.stat().st_mode == other.stat().st_mode


def test_a_link_keeps_pointing_at_the_file_that_is_replaced(tmp_path):
    target, link = tmp_path / "report.json", tmp_path / "latest.json"
    link.symlink_to(target)
    with replacing(str(link)) as save:
        save("text")
    assert link.is_symlink()
    assert target.read_text() == "text"


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("missing/report.json", "No such file or directory"),
        ("", "it exists and is not a regular file"),
        ("file/report.json", "Not a directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_on_entry(tmp_path, place, reason):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=f"cannot write .*: {reason}"):
        replacing(str(tmp_path / place)).__enter__()


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    target = tmp_path / "report.json"
    target.write_text("old")
    # The superuser may write anything, so the answer of the system is given here.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="read-only"):
        replacing(str(target)).__enter__()


def test_a_text_that_cannot_be_written_in_the_end_is_an_error(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with replacing(str(folder / "report.json")) as save:
        shutil.rmtree(folder)
        with pytest.raises(OutputError, match="cannot write"):
            save("text")


def test_a_json_target_that_cannot_be_written_is_reported_before_the_run(capsys, tmp_path):
    assert cli.main(["demo", "--json", str(tmp_path / "missing" / "report.json")]) == 2
    output = capsys.readouterr()
    assert output.err.endswith("report.json: No such file or directory\n")
    assert "Serving" not in output.err
    assert output.out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent as POSIX signals")
@pytest.mark.parametrize("interrupt", [os.kill, os.killpg], ids=["alone", "as on a terminal"])
def test_an_interrupted_demo_ends_at_once_without_a_traceback(tmp_path, interrupt):
    target = tmp_path / "report.json"
    process = subprocess.Popen(
        [*COMMAND, "demo", "--json", str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Serving")
        process.stderr.readline()  # the first progress: requests are under way
        interrupt(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "allocmeter: interrupted\n"
    assert list(tmp_path.iterdir()) == []
