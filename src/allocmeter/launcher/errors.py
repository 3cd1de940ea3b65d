"""What keeps a program from being started."""

from __future__ import annotations

from allocmeter.errors import AllocmeterError


class LaunchError(AllocmeterError):
    """The program could not be started; nothing of it has run unless the text says so."""
