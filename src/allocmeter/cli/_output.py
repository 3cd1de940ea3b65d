"""Writing results to files that users name."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter.errors import AllocmeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OutputError(AllocmeterError):
    """A file that the user named cannot be written."""


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
    path = Path(os.path.realpath(target))
    # The name says nothing of the target's, which may be as long as the file system allows; the
    # process id alone comes again in every container.
    draft = path.with_name(f".allocmeter-{os.getpid()}-{os.urandom(4).hex()}.tmp")

    def save(text: str) -> None:
        try:
            draft.write_text(text, encoding="utf-8")
            if path.exists():
                draft.chmod(stat.S_IMODE(path.stat().st_mode))
            draft.replace(path)
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror}") from error

    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {target}: it exists and is not a regular file")
        if path.exists() and not os.access(path, os.W_OK):
            raise OutputError(f"cannot write {target}: the file that is there is read-only")
        draft.open("x").close()
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror}") from error
    try:
        yield save
    finally:
        draft.unlink(missing_ok=True)
