"""Where baselines are kept: `.allocmeter/PLATFORM-PYTHON/NAME.json` below pytest's root directory.

A baseline holds for one platform and one minor version of Python, because what the same test
allocates differs between them. Numbered baselines are snapshots, and never change; a name is one
file that is written again and again.
"""

from __future__ import annotations

import platform
import re
import sys
from typing import TYPE_CHECKING, Final

from allocmeter.errors import AllocmeterError, ReportFormatError
from allocmeter.sizes import shortened
from allocmeter.testing import baseline_format

if TYPE_CHECKING:
    from pathlib import Path

    from allocmeter.testing.baseline_format import Baseline

DIRECTORY: Final = ".allocmeter"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGITS: Final = 4


class BaselineError(AllocmeterError):
    """A baseline is missing, or cannot be read or written."""


def environment_key() -> str:
    """Return what baselines are kept apart by, such as `linux-x86_64-cpython-3.12`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}"
    words = (platform.system(), platform.machine(), sys.implementation.name, version)
    return "-".join(word.replace("/", "_").lower() for word in words)


def check_name(name: str) -> str:
    """Return the name if a baseline can be saved under it.

    Raises:
        ValueError: it cannot.
    """
    if name.isdecimal():
        raise ValueError(
            f"{shortened(name)} is a number, and numbers are given automatically: leave the name "
            "out, or begin it with a letter"
        )
    return _checked(name)


def check_reference(reference: str) -> str:
    """Return the name of a baseline to read, maybe with the directory of another environment.

    Raises:
        ValueError: it is neither `NAME` nor `ENVIRONMENT/NAME`.
    """
    for part in reference.split("/", 1):
        _checked(part)
    return reference


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{shortened(name)} is no name of a baseline: give letters, digits, dots, hyphens and "
            "underscores, at most 100, of which the first is a letter or a digit"
        )
    return name


class Store:
    """The baselines of a project.

    Args:
        root: the directory that has, or gets, the directory `.allocmeter`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._all = root / DIRECTORY
        self._here = self._all / environment_key()

    def shown(self, path: Path) -> str:
        """Return a path as messages give it: relative to the root directory."""
        return path.relative_to(self._root).as_posix()

    def latest(self) -> Path:
        """Return the file of the highest number, or of the only name that there is.

        Raises:
            BaselineError: there is none, or several names and no number.
        """
        names = self._names(self._here)
        numbered = [name for name in names if name.isdecimal()]
        if numbered:
            return self._file(max(numbered, key=int))
        if len(names) == 1:
            return self._file(names[0])
        if names:
            raise BaselineError(
                f"there is no numbered baseline in {self.shown(self._here)}/, but "
                f"{', '.join(names)}: give one of these names"
            )
        raise self._missing("there is no baseline")

    def find(self, reference: str) -> Path:
        """Return the file of a name, of a number, or of either in another environment.

        Raises:
            BaselineError: there is none.
        """
        *environment, name = reference.split("/", 1)
        directory = self._all / environment[0] if environment else self._here
        numbers = [found for found in self._names(directory) if found.isdecimal()]
        if name.isdecimal():
            name = next((found for found in numbers if int(found) == int(name)), name)
        path = directory / f"{name}.json"
        if not path.is_file():
            raise self._missing(f"there is no baseline {shortened(reference)}")
        return path

    def target(self, name: str | None) -> Path:
        """Return the file to save a name in; `None` is the next number."""
        if name is None:
            taken = [int(found) for found in self._names(self._here) if found.isdecimal()]
            name = f"{max(taken, default=0) + 1:0{_DIGITS}}"
        return self._file(name)

    def load(self, path: Path) -> Baseline:
        """Return the baseline in a file.

        Raises:
            BaselineError: it cannot be read; the text says what to do.
        """
        try:
            return baseline_format.read(path.read_bytes())
        except OSError as error:
            raise BaselineError(f"cannot read {self.shown(path)}: {error.strerror}") from error
        except ReportFormatError as error:
            raise BaselineError(
                f"{self.shown(path)}: {error}. The file was left as it is: restore it from version "
                "control, or remove it and save a new one with --allocmeter-save"
            ) from error

    def save(self, path: Path, baseline: Baseline) -> None:
        """Write a baseline; whoever reads the file finds the old one or the new one.

        Raises:
            BaselineError: it cannot be written; what was there before is still there.
        """
        from allocmeter.cli._output import OutputError, replacing

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(str(path)) as write:
                write(baseline_format.write(baseline))
        except OSError as error:
            shown = self.shown(path.parent)
            raise BaselineError(f"cannot make {shown}: {error.strerror}") from error
        except OutputError as error:
            raise BaselineError(f"{error}; what was there before is as it was") from error

    def _file(self, name: str) -> Path:
        return self._here / f"{name}.json"

    def _names(self, directory: Path) -> list[str]:
        return sorted(path.stem for path in directory.glob("*.json") if _NAME.fullmatch(path.stem))

    def _missing(self, problem: str) -> BaselineError:
        here = f"{problem} in {self.shown(self._here)}/"
        others = [
            f"{directory.name}/{name}"
            for directory in sorted(self._all.glob("*/"))
            for name in self._names(directory)
        ]
        advice = "save one with --allocmeter-save"
        if others:
            shown = ", ".join(others[:10]) + (", …" if len(others) > 10 else "")
            advice += f", or name one of these: {shown}"
        return BaselineError(f"{here}; {advice}")
