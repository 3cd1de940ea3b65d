"""Running a suite of tests in a process of its own, with this plugin and anyio's and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SOURCES = Path(__file__).resolve().parents[2] / "src"


def rounds_option(rounds: int | None) -> list[str]:
    """Return the option for so many rounds of each test; `None`: what the plugin does by itself."""
    return [] if rounds is None else [f"--allocmeter-rounds={rounds}"]


def run(root: Path, *arguments: str, fails: bool = False) -> str:
    """Run pytest in a directory and return what it prints.

    Args:
        root: the directory.
        arguments: of pytest.
        fails: whether it may end with status 1.

    Raises:
        SystemExit: it ended with another status.
    """
    plugins = ("-p", "allocmeter.pytest_plugin", "-p", "anyio.pytest_plugin")
    places = [str(_SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *arguments],
        cwd=root,
        env=os.environ
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in ((0, 1) if fails else (0,)):
        raise SystemExit(f"{done.stdout}{done.stderr}")
    return done.stdout
