"""What is to be run, and whether it is there."""

from __future__ import annotations

import os
import pkgutil
import stat
from dataclasses import dataclass
from typing import Any, Literal

from allocmeter.launcher.errors import LaunchError

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Program:
    """A program as the command line of Python names it.

    Attributes:
        kind: whether `target` is a module's name (`-m`), code (`-c`), or a path: of a script, of
            a directory or archive with a `__main__` module, or `-` for standard input.
        target: that name, code or path.
        arguments: what the program finds in `sys.argv[1:]`.
    """

    kind: Literal["module", "code", "file"]
    target: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        """Return what was run, without the arguments, which may hold secrets."""
        if self.kind == "module":
            return f"-m {self.target}"
        return "-c" if self.kind == "code" else self.target

    @property
    def is_importable(self) -> bool:
        """Whether the path is a directory or an archive that modules can be imported from."""
        return self.kind == "file" and _importer(self.target) is not None

    def check(self) -> None:
        """Make sure that there is something to run, as far as can be told without running it.

        Raises:
            LaunchError: the path cannot be read, or has no `__main__` module.
        """
        if self.kind != "file" or self.target == STDIN:
            return
        try:
            importer = _importer(self.target)
            if importer is not None:
                if importer.find_spec("__main__") is None:
                    raise LaunchError(f"there is no __main__ module in {self.target}")
                return
            # Opening a pipe would take it away from the program.
            if stat.S_ISREG(os.stat(self.target).st_mode):  # noqa: PTH116
                open(self.target, "rb").close()  # noqa: PTH123
        except (OSError, ValueError) as error:  # ValueError: null characters
            raise LaunchError(f"cannot read {self.target}: {_reason(error)}") from error


def _importer(path: str) -> Any:
    """Return what imports from this directory or archive, `None` for anything else."""
    return None if path == STDIN else pkgutil.get_importer(path)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
