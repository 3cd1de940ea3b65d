"""Standing in for what has been found out, or has gone wrong."""

from __future__ import annotations

from dataclasses import replace

from allocmeter import backend
from allocmeter.errors import BackendUnavailableError

UNAVAILABLE = BackendUnavailableError("no library here")


def raising(error):
    """Return a function that raises an exception, whatever it is given."""

    def function(*_arguments, **_keywords):
        raise error

    return function


def giving(value):
    """Return a function that returns a value, whatever it is given."""
    return lambda *_arguments, **_keywords: value


def backend_says(monkeypatch, **changes):
    """Have the backend say something else of itself."""
    said = replace(backend.backend_info(), **changes)
    monkeypatch.setattr(backend, "backend_info", lambda: said)
