"""Two virtual environments for each interpreter that differ in one file.

The `.pth` file of the measured one starts the measuring in every interpreter of the environment:
unlike `PYTHONPATH`, it is read by the isolated children of a test, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from processes import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
_START = Path(__file__).with_name("measured.py")
_QUESTION = (
    "import json, os, sys, test; print(json.dumps(['%d.%d.%d' % sys.version_info[:3], "
    "sorted(name.removesuffix('.py') for name in os.listdir(test.__path__[0]))]))"
)


@dataclass(frozen=True)
class Interpreter:
    """An interpreter with its two environments.

    Attributes:
        version: such as `3.13.0`.
        modules: the test modules of its standard library that are installed.
        plain: the executable of the environment without the `.pth` file.
        measured: of the one with it.
    """

    version: str
    modules: frozenset[str]
    plain: Path
    measured: Path


def prepare(python: str, cache: Path, packages: Sequence[str]) -> Interpreter:
    """Make the environments of an interpreter, with allocmeter as it is now in both of them.

    Args:
        python: the executable.
        cache: where the environments are kept.
        packages: what is to be installed besides.

    Raises:
        SystemExit: it has no tests of its own, or a package could not be installed.
    """
    asked = subprocess.run(  # noqa: S603 - the command is ours
        [python, "-c", _QUESTION], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise SystemExit(f"{python} has no tests of its standard library:\n{asked.stderr}")
    version, modules = json.loads(asked.stdout)
    wheel = _wheel(python, cache / "wheels" / version)
    executables = [cache / f"{version}-{kind}/bin/python" for kind in ("plain", "measured")]
    for executable in executables:
        if not executable.exists():
            checked([python, "-m", "venv", executable.parents[1]])
        (place,) = executable.parents[1].glob("lib/python*/site-packages")
        start = place / "allocmeter_upstream.pth"
        start.unlink(missing_ok=True)  # pip is not to be measured
        pip: list[str | Path] = [executable, "-m", "pip", "install", "-q"]
        checked([*pip, "anyio", *packages])
        checked([*pip, "--force-reinstall", "--no-deps", wheel])
    plain, measured = executables
    shutil.copy(_START, place / "allocmeter_upstream.py")
    start.write_text("import allocmeter_upstream\n")
    return Interpreter(version, frozenset(modules), plain, measured)


def _wheel(python: str, directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    checked([python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", directory, REPOSITORY])
    (wheel,) = directory.glob("*.whl")
    return wheel
