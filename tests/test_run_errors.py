"""What keeps `allocmeter run` from starting a program, and what may go wrong with the report."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys

import pytest

from allocmeter import cli
from allocmeter._core import preload
from run_helpers import Ended, allocmeter, environment, measured, names, start, stop

CODE = "print('it ran')"


def inside(directory):
    return sorted(path.name for path in directory.iterdir())


NATIVE = pytest.mark.parametrize("native", ["--native", "--no-native"])


@NATIVE
@pytest.mark.parametrize(
    ("program", "message"),
    [
        ([], "what is to be run? Name a FILE, or a module with -m, or code with -c"),
        (["-m"], "what is to be run?"),
        (["-c"], "what is to be run?"),
        (["missing.py"], "cannot read missing.py: No such file or directory"),
        (["missing/script.py"], "cannot read missing/script.py: No such file or directory"),
        (["empty"], "there is no __main__ module in empty"),
        (["-m", "missing_module"], "No module named missing_module"),
        (["-m", "missing.module"], "No module named 'missing'"),
        (["-m", "empty"], "No module named empty.__main__; 'empty' is a package and cannot be"),
        (["-m", ".relative"], "Relative module names not supported"),
        (["-o", "missing/report.json", "-c", CODE], "cannot write"),
        (["-o", "empty", "-c", CODE], "it exists and is not a regular file"),
        (["-o", "", "-c", CODE], "it exists and is not a regular file"),
        (["-o", "script.py/report.json", "-c", CODE], "Not a directory"),
        (["-o", "x" * 300, "-c", CODE], "File name too long"),
        (["-q", "-c", CODE], "nobody would ever see the report"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_cannot_be_started_is_a_message_and_status_2(tmp_path, native, program, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "script.py").write_text(CODE)
    ended = measured(native, *program, cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith("allocmeter run: ")
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert message in ended.stderr
    assert inside(tmp_path) == ["empty", "script.py"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_an_unreadable_script_is_a_message_and_status_2(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CODE)
    script.chmod(0)
    assert "Permission denied" in measured(script).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--top", "0", "x.py"], "argument --top: '0' is not a whole number from 1"),
        (["--top", "many", "x.py"], "argument --top: 'many' is not a whole number from 1"),
        (["--sort", "colour", "x.py"], "argument --sort: invalid choice: 'colour'"),
        (["--unknown", "x.py"], "unrecognized arguments: --unknown"),
        (["-m", "-c", "x"], "not allowed with argument"),
        (["-o"], "argument -o/--output: expected one argument"),
    ],
)
def test_wrong_options_are_explained(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_help_shows_examples_and_exit_statuses(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "examples:\n  allocmeter run app.py" in text
    assert "exit status: the program's" in text
    assert max(map(len, text.splitlines())) <= 100


def test_another_program_cannot_have_itself_executed_again(capsys):
    path = list(sys.path)
    assert cli.main(["run", "-c", CODE]) == 2
    assert "give --no-native" in capsys.readouterr().err
    assert sys.path == path


@pytest.mark.skipif(sys.platform != "linux", reason="preloads on Linux only")
class TestPreload:
    def test_a_preload_that_has_no_effect_is_an_error(self, tmp_path):
        # What the command would leave behind if the dynamic linker ignored the library.
        code = (
            "import os, sys\n"
            "os.environ['_ALLOCMETER_RELAUNCHED'] = str(os.getpid())\n"
            "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
        )
        script = tmp_path / "first.py"
        script.write_text(code)
        ended = measured("--no-native", "-c", "pass")
        command = [sys.executable, script, *allocmeter("-c", CODE)[1:]]
        with start(command) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (2, "")
        assert stderr.startswith("allocmeter run: native memory cannot be seen: ")
        assert "--no-native" in stderr
        assert ended.status == 0

    def test_a_marker_that_was_inherited_from_another_process_is_not_taken_for_ours(self, tmp_path):
        file = tmp_path / "report.json"
        code = "import os; print([name for name in os.environ if name.startswith('_ALLOCMETER')])"
        changed = environment(_ALLOCMETER_RELAUNCHED="1:/lib/other.so")
        ended = measured("-q", "-o", file, "-c", code, env=changed)
        assert ended == Ended(0, "[]\n", "")
        assert json.loads(file.read_text())["backend"]["domains"]["native"] == ""

    def test_a_library_that_is_not_there_is_an_error(self, monkeypatch, capsys):
        def missing():
            from allocmeter import BackendUnavailableError

            raise BackendUnavailableError("it was not built")

        monkeypatch.setattr(preload, "find", missing)
        assert cli.main(["run", "-c", CODE]) == 2
        assert capsys.readouterr().err == "allocmeter run: it was not built\n"

    def test_elsewhere_the_report_says_why_there_are_no_native_figures(self, tmp_path):
        script = tmp_path / "first.py"
        script.write_text(
            "import sys\n"
            "sys.platform = 'plan9'\n"
            "from allocmeter.cli import main\n"
            "sys.exit(main(sys.argv[1:]))\n"
        )
        file = tmp_path / "report.json"
        for native, status in (([], 0), (["--native"], 2)):
            command = [sys.executable, script, "run", "-q", "-o", file, *native, "-c", "pass"]
            with start(command) as process:
                _, stderr = process.communicate(timeout=60)
            assert process.returncode == status, stderr
        assert "Linux" in stderr
        assert json.loads(file.read_text())["backend"]["domains"]["native"]


class TestOutput:
    def test_the_table_goes_to_standard_error_and_nothing_of_ours_to_standard_output(self):
        ended = measured("-c", "import asyncio\nasync def go(): pass\nasyncio.run(go())\nprint(1)")
        assert (ended.status, ended.stdout) == (0, "1\n")
        assert "program: -c" in ended.stderr
        assert "go" in ended.stderr

    def test_the_table_is_cut_and_sorted(self):
        code = "from allocmeter import measure\nfor n in 'abc':\n  with measure(n): bytes(100)\n"
        ended = measured("--top", "2", "--sort", "name", "--no-native", "-c", code)
        assert "and 1 more" in ended.stderr

    def test_a_file_keeps_its_permissions_and_a_new_one_has_the_usual_ones(self, tmp_path):
        old, new = tmp_path / "old.json", tmp_path / "new.json"
        old.write_text("old")
        old.chmod(0o600)
        for file in (old, new):
            assert measured("-q", "-o", file, "--no-native", "-c", "pass").status == 0
            json.loads(file.read_text())
        mask = os.umask(0)
        os.umask(mask)
        assert stat.S_IMODE(old.stat().st_mode) == 0o600
        assert stat.S_IMODE(new.stat().st_mode) == 0o666 & ~mask
        assert inside(tmp_path) == ["new.json", "old.json"]

    def test_the_process_id_is_put_into_the_name(self, tmp_path):
        code = "import os; print(os.getpid())"
        ended = measured("-q", "-o", "r-%p-%p.json", "-c", code, cwd=tmp_path)
        pid = ended.stdout.strip()
        assert inside(tmp_path) == [f"r-{pid}-{pid}.json"]

    def test_the_program_may_change_its_directory_and_sees_no_file_of_ours(self, tmp_path):
        code = "import os; print(os.listdir()); os.mkdir('new'); os.chdir('new')"
        ended = measured("-q", "-o", "report.json", "-c", code, cwd=tmp_path)
        assert ended == Ended(0, "[]\n", "")
        assert inside(tmp_path) == ["new", "report.json"]

    def test_a_place_that_has_become_unwritable_is_said_and_the_status_stays(self, tmp_path):
        (tmp_path / "place").mkdir()
        code = "import os, sys; os.rmdir('place'); sys.exit(3)"
        ended = measured("-q", "-o", "place/r.json", "-c", code, cwd=tmp_path)
        assert (ended.status, ended.stdout) == (3, "")
        assert ended.stderr.startswith("allocmeter run: cannot write")
        assert ended.stderr.endswith(": No such file or directory\n")

    def test_the_old_report_stays_until_there_is_a_new_one(self, tmp_path):
        file = tmp_path / "report.json"
        file.write_text("old")
        command = allocmeter("-o", file, "-c", "print(1, flush=True); import time; time.sleep(60)")
        with start(command) as process:
            process.stdout.readline()
            assert file.read_text() == "old"
            stop(process, signal.SIGKILL)
        assert file.read_text() == "old"
        assert inside(tmp_path) == ["report.json"]

    def test_a_reader_that_has_gone_away_changes_nothing(self):
        for stream in ("stdout", "stderr"):
            reader, writer = os.pipe()
            os.close(reader)
            code = "import sys; sys.stdin.read()"
            with start(allocmeter("-c", code), **{stream: writer}) as process:
                os.close(writer)
                process.communicate(timeout=60)
            assert process.returncode == 0

    def test_the_report_does_not_depend_on_the_objects_of_the_program(self, tmp_path):
        file = tmp_path / "report.json"
        code = (
            "import io, sys, json, builtins\n"
            "from allocmeter import measure\n"
            "with measure('kept'): pass\n"
            "sys.stderr = io.StringIO()\n"
            "sys.path.clear(); sys.meta_path.clear()\n"
            "import os; os.chdir('/')\n"
        )
        ended = measured("-o", file, "-c", code)
        assert "kept" in ended.stderr
        assert names(json.loads(file.read_text())) == ["kept"]
