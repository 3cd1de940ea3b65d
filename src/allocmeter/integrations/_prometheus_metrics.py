"""Which metrics Prometheus is given, by name, and where each takes its value from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.integrations._exported_series import Series, Totals
    from allocmeter.reports import RetainedGrowth

LABELS: Final = ("scope", "route", "method")

HISTOGRAM: Final = "allocmeter_scope_allocated_bytes"
HISTOGRAM_HELP: Final = "Bytes that each finished scope allocated, nested scopes included."

BY_AGE: Final = "allocmeter_retained_by_age_bytes"
BY_AGE_HELP: Final = (
    "Bytes allocated by finished scopes that are alive now, by the time since their scope finished."
)
AGE: Final = "age"  # the label that tells its bands apart

RESIDENT: Final = "allocmeter_process_resident_bytes"
RESIDENT_HELP: Final = "Resident memory of the process."


_Figures = TypeVar("_Figures")


@dataclass(frozen=True, slots=True)
class Metric(Generic[_Figures]):
    """One metric of every scope name.

    Attributes:
        name: as in an exposition, without the `_total` that counters get there.
        help: what it is, in one line.
        value: takes it out of the figures of a name.
        together: how the values of several live processes become one.
    """

    name: str
    help: str
    value: Callable[[_Figures], float]
    together: Literal["livesum", "livemax"] = "livesum"


COUNTERS: Final[tuple[Metric[Totals], ...]] = (
    Metric(
        "allocmeter_allocated_bytes",
        "Bytes allocated by finished scopes, nested scopes included.",
        lambda totals: totals.bytes_allocated,
    ),
    Metric(
        "allocmeter_allocations",
        "Blocks allocated by finished scopes, nested scopes included.",
        lambda totals: totals.allocations,
    ),
    Metric(
        "allocmeter_late_allocated_bytes",
        "Bytes allocated by work that outlived its scope.",
        lambda totals: totals.late_bytes_allocated,
    ),
    Metric(
        "allocmeter_scope_errors",
        "Scopes that ended by an exception other than cancellation.",
        lambda totals: totals.errors,
    ),
    Metric(
        "allocmeter_scope_cancellations",
        "Scopes that were cancelled.",
        lambda totals: totals.cancelled,
    ),
)

GAUGES: Final[tuple[Metric[Series], ...]] = (
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

# In bytes per scope, the base unit. Of several processes the one that grows fastest is shown, since
# growth by the scope does not add up; so each limit is the highest of all of them too.
GROWTH: Final[tuple[Metric[RetainedGrowth], ...]] = (
    Metric(
        "allocmeter_retained_growth_bytes",
        "Bytes that each scope adds to what finished scopes retain, over the latest half of them.",
        lambda growth: growth.bytes_per_1000_calls / 1000,
        "livemax",
    ),
    Metric(
        "allocmeter_retained_growth_low_bytes",
        "Lower limit of the 95 % confidence interval of allocmeter_retained_growth_bytes.",
        lambda growth: growth.low / 1000,
        "livemax",
    ),
    Metric(
        "allocmeter_retained_growth_high_bytes",
        "Upper limit of the 95 % confidence interval of allocmeter_retained_growth_bytes.",
        lambda growth: growth.high / 1000,
        "livemax",
    ),
)
