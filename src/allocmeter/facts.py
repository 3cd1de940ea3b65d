"""The facts about machine, interpreter and backend that make a report comparable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from allocmeter._version import __version__
from allocmeter.reports import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocmeter.reports import ReportRow


def report_of(rows: Iterable[ReportRow]) -> Report:
    """Return a report on these rows, made here and now."""
    import datetime as dt

    from allocmeter.backend import backend_info
    from allocmeter.process import process_memory

    return Report(
        rows=tuple(rows),
        allocmeter=__version__,
        python=_python(),
        platform=_platform(),
        backend=backend_info().to_dict(),
        process=process_memory().to_dict(),
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _python() -> str:
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"


def _platform() -> str:
    import os
    import platform

    return f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs"
