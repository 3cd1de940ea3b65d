"""The JSON that carries what a profiler measured from one process to another.

Within a schema version fields are added and never renamed, so a reader ignores fields that it
does not know and refuses a newer version.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from allocmeter.checks import check_count, check_schema_version
from allocmeter.errors import ReportFormatError
from allocmeter.run_log import RunLog
from allocmeter.runs import Measurement, Runs
from allocmeter.stats import AllocationStats

SCHEMA_VERSION: Final = 1
_KIND: Final = "allocmeter-profile"


def write(log: RunLog) -> str:
    """Return all runs of a log as JSON text."""
    import json

    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": _KIND,
            "name": log.name,
            "max_measurements": log.max_measurements,
            **asdict(log.runs()),
        }
    )


def read(text: str | bytes) -> RunLog:
    """Return the log that `write` was given.

    Raises:
        ReportFormatError: the text is damaged, is not a profile, or has a newer schema.
    """
    import json

    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportFormatError(f"not a profile: the text is no JSON ({error})") from error
    if not isinstance(data, dict) or data.get("kind") != _KIND:
        raise ReportFormatError("not a profile: expected what AllocationProfiler saved")
    check_schema_version("profile", data.get("schema_version"), SCHEMA_VERSION)
    try:
        log = RunLog(data["name"], data["max_measurements"])
        log.extend(_runs(data, log.max_measurements))
    except ReportFormatError:
        raise
    except KeyError as error:
        raise ReportFormatError(f"damaged profile: the field {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ReportFormatError(f"damaged profile: {error}") from error
    return log


def _runs(data: dict[str, Any], bound: int | None) -> Runs:
    count, errors, cancelled = (
        check_count(field, data[field]) for field in ("count", "errors", "cancelled")
    )
    return Runs(
        count,
        errors,
        cancelled,
        _measurements(data, "measurements", count, bound),
        _measurements(data, "failed_measurements", errors + cancelled, bound),
    )


def _measurements(
    data: dict[str, Any], field: str, seen: int, bound: int | None
) -> tuple[Measurement, ...]:
    entries = data[field]
    if not isinstance(entries, list):
        raise TypeError(f"{field} must be a list, not {type(entries).__name__}")
    most = seen if bound is None else min(seen, bound)
    if len(entries) > most:
        raise ValueError(f"{field} holds {len(entries)} entries of at most {most}")
    return tuple(map(_measurement, entries))


def _measurement(data: Any) -> Measurement:
    if not isinstance(data, dict):
        raise TypeError(f"a measurement must be an object, not {type(data).__name__}")
    return Measurement(
        AllocationStats.from_dict(data["stats"]),
        check_count("peak_bytes", data["peak_bytes"]),
        check_count("peak_allocations", data["peak_allocations"]),
    )
