"""Shows how far a run has come."""

from __future__ import annotations

import time
from typing import TextIO

# A log is not flooded; a terminal shows every report.
LOG_INTERVAL = 2.0


class Progress:
    """A line that is rewritten on a terminal, and a line now and then elsewhere.

    Args:
        stream: where to write; `None` shows nothing.
        total: requests planned.
    """

    def __init__(self, stream: TextIO | None, total: int) -> None:
        self._stream = stream
        self._total = total
        self._live = stream is not None and stream.isatty()
        self._last_shown = time.monotonic()
        self._width = 0

    def note(self, text: str) -> None:
        """Show a line that stays."""
        if self._stream is not None:
            self._stream.write(f"{text:<{self._width}}\n")
            self._stream.flush()
            self._width = 0

    def update(self, sent: int, failed: int, seconds: float) -> None:
        """Show `sent` requests, `failed` ones among them, after `seconds`."""
        now = time.monotonic()
        if self._stream is None or not (self._live or now - self._last_shown >= LOG_INTERVAL):
            return
        self._last_shown = now
        text = f"{sent:,} of {self._total:,} requests ({sent / self._total:.0%})"
        if seconds > 0:
            text += f", {sent / seconds:,.0f}/s"
        if failed:
            text += f", {failed:,} failed"
        if self._live:
            self._stream.write(f"{text:<{self._width}}\r")
            self._width = len(text)
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Remove the rewritten line."""
        if self._stream is not None and self._width:
            self._stream.write(" " * self._width + "\r")
            self._stream.flush()
            self._width = 0
