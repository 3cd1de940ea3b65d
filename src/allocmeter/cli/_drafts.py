"""The files that texts are written to before they take the place of others.

A process that is killed while it writes leaves its draft behind; whoever writes to the same
directory next removes it. A draft is locked as long as its writer lives, wherever that runs: the
process id in its name is another's in every container.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # not a POSIX system: drafts are neither locked nor removed by others
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = re.compile(r"\.allocmeter-([0-9]{1,10})-[0-9a-f]{8}\.tmp")


@contextmanager
def draft_beside(path: Path) -> Iterator[Path]:
    """Make a new empty file in the directory of `path`; it is removed if it is still there then.

    Drafts that killed processes have left there are removed first.

    Raises:
        OSError: no file can be made there.
    """
    remove_abandoned(path.parent)
    draft, file = _make(path)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)
        os.close(file)


def _make(path: Path) -> tuple[Path, int]:
    while True:
        # The name says nothing of the target's, which may be as long as the file system allows.
        draft = path.with_name(f".allocmeter-{os.getpid()}-{os.urandom(4).hex()}.tmp")
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        # Where it cannot be locked nobody else can lock it, and so nobody removes it.
        _lock(file)
        if os.fstat(file).st_nlink:
            return draft, file
        os.close(file)  # somebody was here before it was locked


def remove_abandoned(directory: Path) -> None:
    """Remove the drafts in a directory whose writers are gone. Never raises."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            # One of ours is locked, unless an earlier process had the same id.
            if found is not None and (
                found[1] == str(os.getpid()) or not _is_running(int(found[1]))
            ):
                with suppress(OSError):
                    _remove_unlocked(entry.path)


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # somebody else's
    return True


def _remove_unlocked(draft: str) -> None:
    # Not a link to a file elsewhere, nor a pipe that would wait for a writer.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(draft, flags)
    try:
        if _lock(file):
            os.unlink(draft)  # noqa: PTH108 - what scandir found
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    """Lock a file until it is closed; return whether it was nobody else's."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
