"""Writing results to standard output, and to files that users name."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter.cli._drafts import draft_beside
from allocmeter.errors import AllocmeterError
from allocmeter.renderers.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OutputError(AllocmeterError):
    """Standard output, or a file that the user named, cannot be written."""


def show(text: str) -> None:
    """Print text; what standard output cannot show gets a mark of the same width in its place.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: whoever read it has enough.
    """
    if sys.stdout is None:
        raise OutputError("cannot write standard output: it is closed")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with _as_output_error():
        print(text.encode(encoding, "replace").decode(encoding))


def flush() -> None:
    """Write what has been printed so far.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: whoever read it has enough.
    """
    if sys.stdout is not None:
        with _as_output_error():
            sys.stdout.flush()


@contextmanager
def _as_output_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"cannot write standard output: {error.strerror}") from error


def _is_there(path: Path) -> bool:
    """Like `path.exists()`, which since 3.14 tells nobody that it was not let look."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


@contextmanager
def replacing(target: str) -> Iterator[Callable[[str], None]]:
    """Make sure that `target` can be written, and yield the function that writes its text.

    The text goes to a new file in the same directory, which then takes the place of `target` and
    keeps its permissions. That file is created on entry: a place that cannot be written is found
    before any work is done, and nobody ever sees half a text. Until the function is called,
    `target` is as it was.

    Raises:
        OutputError: on entry or by the function, if the file cannot be written.
    """
    if not target:
        raise OutputError("cannot write a file without a name")
    shown = printable(target, 1000)
    path = Path(os.path.realpath(target))

    def save(text: str) -> None:
        try:
            draft.write_text(text, encoding="utf-8")
            if path.exists():
                draft.chmod(stat.S_IMODE(path.stat().st_mode))
            draft.replace(path)
        except OSError as error:
            raise OutputError(f"cannot write {shown}: {error.strerror}") from error

    with ExitStack() as stack:
        try:
            there = _is_there(path)
            if there and not path.is_file():
                raise OutputError(f"cannot write {shown}: it exists and is not a regular file")
            if there and not os.access(path, os.W_OK):
                raise OutputError(f"cannot write {shown}: the file that is there is read-only")
            draft = stack.enter_context(draft_beside(path))
        except OSError as error:
            raise OutputError(f"cannot write {shown}: {error.strerror}") from error
        yield save
