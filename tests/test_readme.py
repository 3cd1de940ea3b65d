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


@pytest.mark.parametrize("heading", ["tokens", "outline", "words", "leaks", "peaks", "│"])
def test_the_output_of_the_demo_is_shown(heading):
    assert heading in block("demo output")
