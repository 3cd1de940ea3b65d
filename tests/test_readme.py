"""The README shows programs and output; both are what one really gets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(name):
    found = re.search(rf"<!-- {name}: begin -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"the README has no block called {name}"
    return found[1]


def without_figures(text):
    return re.sub(r"[\d,]+", "#", text)


def test_the_quick_start_prints_what_the_readme_says_up_to_the_figures():
    run = subprocess.run(
        [sys.executable, "-c", block("quick start")], capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    assert without_figures(run.stdout) == without_figures(block("quick start output"))


def test_the_quick_start_fits_in_ten_lines_of_program():
    lines = [line for line in block("quick start").splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_program_that_is_run_as_it_is_gives_the_table_that_the_readme_shows(tmp_path):
    (tmp_path / "app.py").write_text(block("run program"), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "allocmeter", "run", "app.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""
    shown, printed = block("run output"), run.stderr.strip("\n") + "\n"
    for text in (shown, printed):
        rows = re.findall(r"^(\w+) .* (\w+)$", text, re.MULTILINE)
        assert [row for row in rows if row[0] in ("main", "handle", "load", "pack")] == [
            ("main", "few"),
            ("handle", "leaks"),
            ("load", "ok"),
            ("pack", "leaks"),
        ]
    assert [line.split("|")[0] for line in shown.splitlines()[:1]] == [
        line.split("|")[0] for line in printed.splitlines()[:1]
    ]


@pytest.mark.parametrize("heading", ["tokens", "outline", "words", "leaks", "peaks", "│"])
def test_the_output_of_the_demo_is_shown(heading):
    assert heading in block("demo output")
