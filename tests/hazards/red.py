"""Show that every test of a hazard fails without its mitigation.

    python tests/hazards/red.py [PART ...]

In a copy of the project, each mitigation is taken away in turn (mutations_of_*.py), the native
library is built anew, and the tests concerned are run: they must be green before, and at least one
of them red after. With arguments, only mutations for tests whose names contain one of them. Takes
some minutes; ends with status 1 if a test has stayed green.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mutations_of_hooks
import mutations_of_mechanisms
import mutations_of_uses

ROOT = Path(__file__).parents[2]
PARTS = ("src", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def copied(directory):
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, directory / part)


def run(directory, *command, timeout=600):
    environment = {**os.environ, "PYTHONPATH": str(directory / "src")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def build(directory):
    build = ("setup.py", "-q", "build_ext", "--inplace", "--build-temp", "build")
    done = run(directory, *build)
    assert done.returncode == 0, done.stderr


def test(directory, *expressions):
    """Run the tests and return the ends of the lines that tell which have failed."""
    words = {expression.split()[0] for expression in expressions}
    files = [
        str(file)
        for file in sorted((directory / "tests" / "hazards").glob("test_*.py"))
        if any(f"def test_{word}" in file.read_text() or word in file.name for word in words)
    ]
    files += [
        str(file) for file in sorted((directory / "tests").glob("*.py")) if file.stem in words
    ]
    chosen = " or ".join(f"({expression})" for expression in expressions)
    done = run(directory, "-m", "pytest", "-q", "--tb=no", "-k", chosen, *files)
    if done.returncode < 0:
        return [f"ended by signal {-done.returncode}"]
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [
        line.split("::")[-1]
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED", "ERROR"))
    ]


def without(directory, mutation):
    """Take a mitigation away, run the tests, and put it back."""
    originals = {name: (directory / name).read_text() for name, _, _ in mutation.edits}
    try:
        for name, old, new in mutation.edits:
            text = (directory / name).read_text()
            assert text.count(old) == 1, f"stands {text.count(old)} times in {name}: {old!r}"
            (directory / name).write_text(text.replace(old, new))
        build(directory)  # in any case: what is there is of the mutation before
        return test(directory, mutation.tests)
    finally:
        for name, text in originals.items():
            (directory / name).write_text(text)


def main(parts):
    """Show all mutations, or those for some tests, and return how many have stayed green."""
    every = (
        mutations_of_hooks.MUTATIONS
        + mutations_of_uses.MUTATIONS
        + mutations_of_mechanisms.MUTATIONS
    )
    chosen = [
        mutation
        for mutation in every
        if mutation.since <= sys.version_info
        and (not parts or any(part in mutation.tests for part in parts))
    ]
    green = 0
    with tempfile.TemporaryDirectory(prefix="allocmeter-red-") as name:
        directory = Path(name)
        copied(directory)
        build(directory)
        failed = test(directory, *(mutation.tests for mutation in chosen))
        assert not failed, f"red before anything was taken away: {failed}"
        for mutation in chosen:
            failed = without(directory, mutation)
            green += not failed
            print("red  " if failed else "GREEN", f"{mutation.tests}: {mutation.what}", flush=True)
            for each in failed:
                print(f"        {each[:120]}", flush=True)
    return green


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
