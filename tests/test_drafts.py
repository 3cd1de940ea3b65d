"""Drafts that killed processes have left: the next to write there removes them, and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from allocmeter.cli._drafts import draft_beside, remove_abandoned
from allocmeter.cli._output import OutputError, replacing
from run_helpers import UNTRACED, measured, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="drafts are locked on POSIX systems")

KILLED = """
import os, signal, sys
def strike(event, arguments):
    if event == "os.rename":
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(strike)
"""
WRITING = """
import sys
from allocmeter.cli._output import replacing
with replacing(sys.argv[1]) as save:
    print("writing", flush=True)
    sys.stdin.read()
    save("written")
"""


def gone():
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def named(directory, process_id, random="0123abcd"):
    draft = directory / f".allocmeter-{process_id}-{random}.tmp"
    draft.write_text("half a rep")
    return draft


def left(directory):
    return sorted(file.name for file in directory.iterdir())


def test_a_run_that_was_killed_in_writing_leaves_a_draft_that_the_next_run_removes(tmp_path):
    program, file = tmp_path / "program.py", tmp_path / "report.json"
    program.write_text(KILLED)
    assert measured("-q", "-o", file, program, **UNTRACED).status == -signal.SIGKILL
    (draft,) = set(left(tmp_path)) - {"program.py"}
    assert draft.startswith(".allocmeter-")
    program.write_text("")
    assert measured("-q", "-o", file, program, **UNTRACED).status == 0
    assert left(tmp_path) == ["program.py", "report.json"]


def test_a_draft_is_left_alone_while_its_writer_lives_whatever_its_process_id(tmp_path):
    file = tmp_path / "report.json"
    command = [sys.executable, "-c", WRITING, file]
    with start(command, stdin=subprocess.PIPE, **UNTRACED) as process:
        assert process.stdout.readline() == "writing\n"
        (draft,) = tmp_path.iterdir()
        remove_abandoned(tmp_path)
        assert draft.exists()
        # As one of another container would look from here.
        other = draft.rename(tmp_path / f".allocmeter-{gone()}-01234567.tmp")
        remove_abandoned(tmp_path)
        assert other.exists()
        other.rename(draft)
        process.communicate("", timeout=60)
    assert (left(tmp_path), file.read_text()) == (["report.json"], "written")


def test_a_draft_of_an_earlier_process_with_our_id_is_removed_and_our_own_are_not(tmp_path):
    named(tmp_path, os.getpid())
    with draft_beside(tmp_path / "report") as draft:
        assert left(tmp_path) == [draft.name]
        with draft_beside(tmp_path / "report") as second:
            assert left(tmp_path) == sorted([draft.name, second.name])
    assert left(tmp_path) == []


def test_only_what_is_named_as_a_draft_of_a_process_that_is_gone_is_removed(tmp_path):
    process_id = gone()
    named(tmp_path, process_id)
    kept = [
        named(tmp_path, os.getppid()),
        named(tmp_path, process_id, "0123abcde"),
        named(tmp_path, process_id, "0123ABCD"),
        tmp_path / f"allocmeter-{process_id}-0123abcd.tmp",
        tmp_path / f".allocmeter-{process_id}-0123abcd.tmp.json",
    ]
    for file in kept:
        file.write_text("somebody's")
    (tmp_path / "below").mkdir()
    kept += [tmp_path / "below", named(tmp_path / "below", process_id)]
    with replacing(str(tmp_path / "report.json")) as save:
        save("written")
    assert [file for file in kept if not file.exists()] == []
    assert len(left(tmp_path)) == len(kept)


def test_what_is_no_file_under_the_name_of_a_draft_does_no_harm(tmp_path):
    process_id = gone()
    target = tmp_path / "target"
    target.write_text("somebody's")
    (tmp_path / f".allocmeter-{process_id}-00000001.tmp").symlink_to(target)
    (tmp_path / f".allocmeter-{process_id}-00000002.tmp").mkdir()
    os.mkfifo(tmp_path / f".allocmeter-{process_id}-00000003.tmp")
    with replacing(str(tmp_path / "report.json")) as save:
        save("written")
    assert target.read_text() == "somebody's"
    assert (tmp_path / f".allocmeter-{process_id}-00000001.tmp").is_symlink()
    assert (tmp_path / f".allocmeter-{process_id}-00000002.tmp").is_dir()


def test_a_directory_that_cannot_be_listed_is_an_error_of_writing_alone(tmp_path):
    remove_abandoned(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="No such file"), replacing(str(tmp_path / "no" / "x")):
        pass
