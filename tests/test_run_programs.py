"""Real programs under `allocmeter run`: same output, same status, same files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from run_helpers import PROGRAMS, UNTRACED, allocmeter, compare, measured, names, run

EXAMPLES = sorted((PROGRAMS.parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null], "b": "ü"}', "{not json", ""])
def test_json_tool_reads_standard_input(tmp_path, text):
    _, report = compare(tmp_path, "-m", "json.tool", "--indent", "2", text_in=text, **UNTRACED)
    assert report["program"] == "-m json.tool"
    assert report["process"]["bytes_allocated"] > 0
    assert report["process"]["native_bytes_allocated"] is not None


def contents(directory):
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_compileall_writes_the_same_files(tmp_path, jobs):
    source = Path(sysconfig.get_paths()["stdlib"])
    seen = []

    def prepare():
        seen.append(contents(tmp_path / "stdlib") if seen else None)
        shutil.rmtree(tmp_path / "stdlib", ignore_errors=True)
        for package in ("asyncio", "json", "email"):
            shutil.copytree(
                source / package,
                tmp_path / "stdlib" / package,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        (tmp_path / "stdlib" / "wrong.py").write_text("def (:")

    program = ["-m", "compileall", "-j", jobs, "--invalidation-mode", "checked-hash", "stdlib"]
    # Two workers print in whatever order.
    ended, _ = compare(
        tmp_path, *program, cwd=tmp_path, prepare=prepare, neutral=sorted, **UNTRACED
    )
    assert ended.status == 1
    assert contents(tmp_path / "stdlib") == seen[1]
    assert sum(name.endswith(".pyc") for name in seen[1]) > 50


@pytest.mark.slow
def test_pytest_runs_a_suite(tmp_path):
    suite = tmp_path / "suite"
    shutil.copytree(PROGRAMS / "suite", suite, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.move(suite / "cases_of_suite.py", suite / "test_suite.py")
    (suite / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -v\n")
    file = tmp_path / "report.json"
    command = ["-m", "pytest", "--junitxml", "junit.xml"]
    plain = run([sys.executable, *command], cwd=suite, **UNTRACED)
    watched = run(allocmeter("-q", "-o", file, *command), cwd=suite, **UNTRACED)

    def neutral(text):
        text = re.sub(r"in [\d.]+s|(time|timestamp)=\S+|pytest-\d+", "", text)
        return re.sub(r"=+\n", "\n", text)

    assert neutral(watched.stdout) == neutral(plain.stdout)
    assert (watched.status, watched.stderr) == (plain.status, plain.stderr)
    assert plain.status == 1
    assert "2 failed, 8 passed, 1 skipped, 1 xfailed, 1 warning" in plain.stdout
    scopes = names(json.loads(file.read_text()))
    assert "test_runs_tasks.<locals>.main" in scopes


def test_the_interpreter_runs_its_own_tools(tmp_path):
    (tmp_path / "script.py").write_text("import sys\nprint(sys.argv)\n")
    for program in (
        ["-m", "timeit", "-n1", "-r1", "-s", "import sys", "sys.stderr.write('x')"],
        ["-m", "pdb", "script.py", "a"],
        ["-m", "trace", "--listfuncs", "script.py"],
        ["-m", "runpy", "script"],
        ["-m", "ast", "script.py"],
        ["-m", "venv", "--help"],
    ):
        if "timeit" in program:
            assert "x" in measured("-q", "-o", tmp_path / "r.json", *program, **UNTRACED).stderr
            continue
        compare(tmp_path, *program, cwd=tmp_path, text_in="next\ncontinue\nquit\n", **UNTRACED)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_end_as_without_us(tmp_path, example):
    plain = run([sys.executable, example], cwd=tmp_path, **UNTRACED)
    file = tmp_path / "report.json"
    watched = run(allocmeter("-q", "-o", file, example), cwd=tmp_path, **UNTRACED)
    assert (watched.status, watched.stderr) == (plain.status, plain.stderr)
    # What they print are figures of their own, and reports that hold more under `run`.
    assert bool(watched.stdout) == bool(plain.stdout)
    assert json.loads(file.read_text())["program"] == str(example)
