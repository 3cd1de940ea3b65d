"""Which metrics Prometheus is given, by name, and where each takes its value from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.integrations._exported_totals import Series

LABELS: Final = ("scope", "route", "method")

HISTOGRAM: Final = "allocmeter_scope_allocated_bytes"
HISTOGRAM_HELP: Final = "Bytes that each finished scope allocated, nested scopes included."

RESIDENT: Final = "allocmeter_process_resident_bytes"
RESIDENT_HELP: Final = "Resident memory of the process."


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of every scope name.

    Attributes:
        name: as in an exposition, without the `_total` that counters get there.
        help: what it is, in one line.
        value: takes it out of the figures of a name.
        together: how the values of several live processes become one.
    """

    name: str
    help: str
    value: Callable[[Series], int]
    together: Literal["livesum", "livemax"] = "livesum"


COUNTERS: Final = (
    Metric(
        "allocmeter_allocated_bytes",
        "Bytes allocated by finished scopes, nested scopes included.",
        lambda series: series.totals.bytes_allocated,
    ),
    Metric(
        "allocmeter_allocations",
        "Blocks allocated by finished scopes, nested scopes included.",
        lambda series: series.totals.allocations,
    ),
    Metric(
        "allocmeter_late_allocated_bytes",
        "Bytes allocated by work that outlived its scope.",
        lambda series: series.totals.late_bytes_allocated,
    ),
    Metric(
        "allocmeter_scope_errors",
        "Scopes that ended by an exception other than cancellation.",
        lambda series: series.totals.errors,
    ),
    Metric(
        "allocmeter_scope_cancellations",
        "Scopes that were cancelled.",
        lambda series: series.totals.cancelled,
    ),
)

GAUGES: Final = (
    Metric(
        "allocmeter_scope_peak_bytes",
        "Highest peak of live bytes of any one finished scope.",
        lambda series: series.peak_bytes,
        "livemax",
    ),
    Metric(
        "allocmeter_retained_bytes",
        "Bytes allocated by finished scopes that are alive now.",
        lambda series: series.retained_bytes,
    ),
    Metric(
        "allocmeter_retained_allocations",
        "Blocks allocated by finished scopes that are alive now.",
        lambda series: series.retained_allocations,
    ),
    Metric(
        "allocmeter_leaking",
        "Whether the report's verdict on these scopes is that they leak: 1 or 0.",
        lambda series: int(series.leaks),
        "livemax",
    ),
)
