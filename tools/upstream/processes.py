"""Starting processes that end when they should."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def checked(command: Sequence[str | Path]) -> None:
    """Run a command that must succeed.

    Raises:
        SystemExit: it did not.
    """
    done = subprocess.run(  # noqa: S603 - the commands are ours
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which no setting of the interpreter is left, and some are added."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | more


def logged(command: Sequence[str | Path], log: Path, timeout: float, **options: Any) -> int | None:
    """Run a command with its output in a file; end it and all its children after `timeout` seconds.

    Returns:
        The exit status, `None` if it was ended.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the commands are ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
