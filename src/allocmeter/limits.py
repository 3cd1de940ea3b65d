"""How much the figures of a report may grow, as `--fail-on` takes it.

The grammar is pytest-benchmark's: `METRIC:LIMIT`, several of them joined by commas, as in
`bytes:5%,allocations:0,retained:1KiB`. A limit is the growth that is still allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from allocmeter.sizes import parse_size, shortened
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from allocmeter.comparison import Change

Metric = Literal["bytes", "allocations", "peak", "retained"]
METRICS: Final = ("bytes", "allocations", "peak", "retained")

GRAMMAR: Final = (
    "METRIC:LIMIT[,METRIC:LIMIT...] with METRIC one of bytes, allocations, peak, retained and"
    " LIMIT a percentage (5%), a number (0) or, except for allocations, a size (1KiB)"
)

_PERCENTAGE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?%")
_NUMBER: Final = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Limit:
    """The growth of one metric that is still allowed; more than that is a failure.

    Attributes:
        metric: what is limited. `bytes` and `allocations` are what one call allocates, `peak`
            is the high-water mark of one call, `retained` is what all calls of a name together
            have alive when the report is made.
        allowed: the growth, from 0; as a share of the baseline if it is `relative` (0.05 is
            5 %), else in bytes or, for `allocations`, in blocks.
        relative: whether `allowed` is a share.
    """

    metric: Metric
    allowed: float
    relative: bool = False

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"{self.metric!r} is not a metric; there are {', '.join(METRICS)}")
        # NaN fails every comparison, so it is refused as well.
        if not self.allowed >= 0:
            raise ValueError(f"the growth allowed is {self.allowed!r}; give 0 or more")

    def exceeded_by(self, change: Change, *, share: float = 1) -> bool:
        """Return whether the figure grew by more than the limit, or than a share of it.

        Any growth from 0 is more than any percentage.
        """
        allowed = self.allowed * share
        if self.relative:
            allowed *= change.baseline
        # What exceeds the limit by less than the rounding of a mean is on it: 5 % of 21 bytes.
        return change.absolute > allowed + 1e-12 * abs(change.baseline) * bool(allowed)

    def __str__(self) -> str:
        return f"{self.metric}:{self.amount}"

    @property
    def amount(self) -> str:
        """The growth allowed, as people read it: `5%`, `1.0 KiB`, `2`."""
        if self.relative:
            return f"{self.allowed * 100:.10g}%"
        return (human_count if self.metric == "allocations" else human_bytes)(self.allowed)


def parse_limits(spec: str) -> tuple[Limit, ...]:
    """Return the limits that a text such as `bytes:5%,allocations:0,retained:1KiB` stands for.

    Raises:
        ValueError: some part is malformed or a metric is limited twice; the text names the part
            and gives the grammar.
    """
    limits: dict[str, Limit] = {}
    for part in spec.split(","):
        limit = _limit(part)
        if limit.metric in limits:
            raise _malformed(part, f"limits {limit.metric} a second time")
        limits[limit.metric] = limit
    return tuple(limits.values())


def _limit(part: str) -> Limit:
    name, colon, amount = (piece.strip() for piece in part.partition(":"))
    if not colon:
        raise _malformed(part, "has no colon")
    if name not in METRICS:
        raise _malformed(part, f"names no metric: {shortened(name)}")
    metric = cast("Metric", name)
    if percentage := _PERCENTAGE.fullmatch(amount):
        return Limit(metric, float(percentage[1]) / 100, relative=True)
    if metric == "allocations":
        if not _NUMBER.fullmatch(amount):
            raise _malformed(part, "has no limit: give a percentage or a number of blocks")
        return Limit(metric, float(amount))
    try:
        return Limit(metric, parse_size(amount))
    except ValueError as error:
        raise _malformed(part, "has no limit: give a percentage or a size") from error


def _malformed(part: str, problem: str) -> ValueError:
    return ValueError(f"{shortened(part)} {problem}; expected {GRAMMAR}")
