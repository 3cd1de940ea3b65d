"""The input of the demo: source files of the running interpreter's standard library."""

from __future__ import annotations

import os
import random
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter.errors import AllocmeterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILES = 48
# Bounded from both sides, so that the size of the input alone makes no endpoint stand out.
SMALLEST, LARGEST = 5_000, 10_000

_SKIPPED = frozenset(
    {"__pycache__", "dist-packages", "idlelib", "lib2to3", "site-packages", "test", "tests"}
)


class CorpusError(AllocmeterError):
    """This interpreter's standard library has too few readable source files."""


def load_corpus(seed: int, directory: str | None = None) -> Mapping[str, str]:
    """Choose `FILES` source files and read them.

    The same seed and interpreter give the same files, in this process and in another.

    Args:
        seed: of the choice.
        directory: where to look; the standard library of this interpreter if not given.

    Returns:
        Source texts by path relative to `directory`, in sorted order.

    Raises:
        CorpusError: there are not enough files of a suitable size.
    """
    root = Path(directory or sysconfig.get_path("stdlib"))
    candidates = sorted(_candidates(root))
    random.Random(seed).shuffle(candidates)  # noqa: S311 - a reproducible choice, no secret
    sources: dict[str, str] = {}
    for path in candidates:
        text = _read_ascii(path)
        if text is not None:
            sources[path.relative_to(root).as_posix()] = text
            if len(sources) == FILES:
                return dict(sorted(sources.items()))
    raise CorpusError(
        f"the demo needs {FILES} Python source files of {SMALLEST:,} to {LARGEST:,} bytes, and "
        f"{root} has {len(sources)}; run it with an interpreter whose standard library is "
        "installed as source files"
    )


def _candidates(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in _SKIPPED]
        for name in names:
            path = Path(folder, name)
            if name.endswith(".py") and SMALLEST <= path.stat().st_size <= LARGEST:
                yield path


def _read_ascii(path: Path) -> str | None:
    # One wide character makes each character of a string two or four bytes, so that a file would
    # cost a multiple of another one of its length.
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
