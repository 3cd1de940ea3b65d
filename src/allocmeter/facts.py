"""The facts about machine, interpreter and backend that make a report comparable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from allocmeter._version import __version__
from allocmeter.errors import BackendUnavailableError
from allocmeter.reports import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocmeter.reports import ReportRow


def report_of(rows: Iterable[ReportRow]) -> Report:
    """Return a report on these rows, made here and now.

    What the process as a whole allocated is in it while process-wide tracking is on.
    """
    import datetime as dt

    from allocmeter.backend import backend_info
    from allocmeter.process import process_memory

    return Report(
        rows=tuple(rows),
        allocmeter=__version__,
        python=python_version(),
        platform=_platform(),
        backend=backend_info().to_dict(),
        process={**process_memory().to_dict(), **_tracked()},
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _tracked() -> dict[str, int | None]:
    """Return the figures of the tracked process in blocks and bytes; nothing while it is not.

    Figures that are incomplete are left out too: a report on the scopes is worth more than none,
    and the facts of its backend say that there are gaps.
    """
    from allocmeter._core.figures import is_tracking, read_process, read_process_native

    if not is_tracking():
        return {}
    try:
        figures, native = read_process(), read_process_native()
    except BackendUnavailableError:
        return {}
    return {
        "allocations": figures.allocations,
        "bytes_allocated": figures.bytes_allocated,
        "peak_bytes": figures.peak_bytes,
        "live_bytes": figures.bytes_allocated - figures.bytes_deallocated,
        "live_allocations": figures.allocations - figures.deallocations,
        "native_allocations": None if native is None else native.allocations,
        "native_bytes_allocated": None if native is None else native.bytes_allocated,
    }


def python_version() -> str:
    """Return the implementation of the interpreter and its version: `cpython 3.12.1`."""
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"


def _platform() -> str:
    import os
    import platform

    return f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs"
