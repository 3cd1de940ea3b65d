"""A program under `allocmeter run` sees what it would see without."""

from __future__ import annotations

import py_compile
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from run_helpers import PROGRAMS, UNTRACED, Ended, compare, environment, measured, names, run

DUMP = PROGRAMS / "dump.py"


@pytest.fixture
def place(tmp_path):
    """A directory with the same program in every form it can take."""
    (tmp_path / "script.py").write_text(DUMP.read_text())
    (tmp_path / "package" / "inner").mkdir(parents=True)
    (tmp_path / "package" / "__init__.py").write_text("import sys; print('package', sys.argv)")
    for part in ("package/__main__.py", "package/module.py", "package/inner/__main__.py"):
        (tmp_path / part).write_text(DUMP.read_text())
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "__main__.py").write_text(DUMP.read_text())
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", DUMP.read_text())
    py_compile.compile(str(DUMP), tmp_path / "compiled.pyc")
    (tmp_path / "link.py").symlink_to("directory/__main__.py")
    (tmp_path / "spaces and ü.py").write_text(DUMP.read_text())
    return tmp_path


FORMS = [
    ["script.py"],
    ["./script.py", "a", "-q", "--", "--help"],
    ["directory/../script.py"],
    ["-m", "script", "--top", "3"],
    ["-m", "package", "-o", "x"],
    ["-m", "package.module"],
    ["-m", "package.inner"],
    ["directory", "a"],
    ["directory/", "a"],
    ["archive.zip", "a"],
    ["compiled.pyc"],
    ["link.py"],
    ["spaces and ü.py", "ü", ""],
    ["-c", DUMP.read_text(), "-c", "x"],
    ["-c", DUMP.read_text()],
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: " ".join(form)[:25])
def test_the_program_finds_itself_as_without_us(place, form):
    ended, report = compare(place, *form, cwd=place)
    assert "__name__ '__main__'" in ended.stdout
    assert report["program"] in (form[0], " ".join(form[:2]))


@pytest.mark.parametrize("form", [["script.py"], ["-m", "script"], ["-c", DUMP.read_text()]])
def test_it_does_without_native_memory_too(place, form):
    compare(place, *form, cwd=place, options=["--no-native"])


def test_a_program_on_standard_input_is_read_from_there(place):
    compare(place, "-", "a", cwd=place, text_in=DUMP.read_text())


def test_standard_input_is_the_program_s(place):
    ended, _ = compare(place, "script.py", "read", cwd=place, text_in="line\nline")
    assert "line\nline" in ended.stdout


@pytest.mark.parametrize(
    "options",
    ["-P", "-I", "-E", "-s", "-O", "-OO", "-B", "-u", "-X dev", "-X utf8", "-W error", "-b"],
)
@pytest.mark.parametrize("form", [["script.py"], ["-m", "package"], ["directory"]], ids=" ".join)
def test_options_of_the_interpreter_are_kept(place, options, form):
    interpreter = options.split()
    if options in ("-P", "-I") and form[0] == "-m":
        pytest.skip("modules of the current directory are not found, with us or without")
    compare(place, *form, cwd=place, interpreter=interpreter, **UNTRACED)


def test_variables_of_the_environment_are_kept(place):
    changed = environment(PYTHONSAFEPATH="1", PYTHONHASHSEED="3", LD_PRELOAD="", EXTRA="ü=:x")
    compare(place, "script.py", cwd=place, env=changed)


def test_the_installed_command_does_the_same(place):
    command = shutil.which("allocmeter", path=Path(sys.executable).parent)
    interpreter = Path(command).read_text().splitlines()[0].removeprefix("#!")
    plain = run([interpreter, "script.py", "a"], cwd=place)
    watched = run([command, "run", "-q", "-o", "report.json", "script.py", "a"], cwd=place)
    assert watched == plain


def test_another_preloaded_library_stays_for_the_program_and_its_children(tmp_path):
    library = tmp_path / "libother.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", library, "-x", "c", "-"],
        input="int other_library(void) { return 42; }",
        text=True,
        check=True,
    )
    code = textwrap.dedent("""
        import ctypes, os, subprocess, sys
        print(ctypes.CDLL(None).other_library(), os.environ["LD_PRELOAD"])
        maps = open("/proc/self/maps").read()
        print("liballocmeter_preload" in maps, file=sys.stderr)
        subprocess.run([sys.executable, "-c", '''if True:
            import ctypes, os
            print(ctypes.CDLL(None).other_library(), os.environ["LD_PRELOAD"])
            print("liballocmeter" in open("/proc/self/maps").read())
        '''])
    """)
    changed = environment(LD_PRELOAD=str(library))
    ended = measured("-q", "-o", tmp_path / "r.json", "-c", code, env=changed)
    assert (ended.status, ended.stderr) == (0, "True\n")
    assert sorted(ended.stdout.splitlines()) == sorted([f"42 {library}"] * 2 + ["False"])


def test_a_module_beside_the_command_does_not_run_because_of_us(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "script.py").write_text("print('fine')")
    for name in ("pathlib", "json", "datetime", "runpy", "atexit", "dataclasses", "nt"):
        (tmp_path / f"{name}.py").write_text("raise SystemError('the wrong module')")
    for form in (["elsewhere/script.py"], ["elsewhere/../elsewhere/script.py"]):
        ended, _ = compare(tmp_path, *form, cwd=tmp_path, interpreter=["-P"])
        assert ended == Ended(0, "fine\n", "")


def test_multiprocessing_that_was_imported_before_the_program_finds_it_as_well(tmp_path):
    # As tools do that start with the interpreter. Workers that are spawned send objects whose
    # classes are in `__mp_main__`.
    (tmp_path / "sitecustomize.py").write_text("import multiprocessing")
    code = "import sys; print(sys.modules['__mp_main__'] is sys.modules['__main__'])"
    changed = environment(PYTHONPATH=str(tmp_path))
    ended, _ = compare(tmp_path, "-c", code, env=changed)
    assert ended.stdout == "True\n"


def test_a_package_that_fails_to_import_shows_its_own_frames_only(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text("import missing_module_of_the_program")
    (tmp_path / "broken" / "__main__.py").write_text("")
    (tmp_path / "wrong.py").write_text("def (:")
    ended, _ = compare(tmp_path, "-m", "wrong", cwd=tmp_path)
    assert "SyntaxError" in ended.stderr
    ended, _ = compare(tmp_path, "-m", "broken", cwd=tmp_path)
    assert "No module named 'missing_module_of_the_program'" in ended.stderr


def test_scopes_of_tasks_bear_the_names_of_their_coroutines(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\n"
        "async def fetch():\n"
        "    return bytes(50_000)\n"
        "async def main():\n"
        "    await asyncio.gather(*(asyncio.create_task(fetch()) for _ in range(30)))\n"
        "asyncio.run(main())\n"
    )
    _, report = compare(tmp_path, script)
    assert {"fetch", "main"} <= set(names(report))
    row = next(row for row in report["scopes"] if row["name"] == "fetch")
    assert row["count"] == 30
    assert row["bytes_allocated"]["min"] >= 50_033
    _, report = compare(tmp_path, script, options=["--no-per-task"])
    assert names(report) == []
