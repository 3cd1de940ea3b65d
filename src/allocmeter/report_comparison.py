"""How two reports differ, name by name: what `allocmeter compare` shows and judges."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

from allocmeter.comparability import native_in_one, objections
from allocmeter.comparison import Change
from allocmeter.verdicts import MIN_CALLS, verdict

if TYPE_CHECKING:
    from allocmeter.reports import Report, ReportRow
    from allocmeter.verdicts import Verdict

SCHEMA_VERSION: Final = 1

_BY_A_HAIR: Final = 0.1  # growth of the memory retained, as a share of the baseline's


@dataclass(frozen=True, slots=True)
class DistributionChange:
    """How one quantity of the calls of a name differs from the baseline.

    Percentiles are read from log-linear histograms: each is within 1.6 % of the exact value, so
    two that are 3 % apart may come from equal calls. The mean and the minimum are exact.

    Attributes:
        mean: change of the mean of all calls.
        min: change of the smallest call; like the percentiles `None` if the two reports saw
            different domains, where only the means can be brought to the same footing.
        p50: change of the median.
        p95: change of the 95th percentile.
    """

    mean: Change
    min: Change | None = None
    p50: Change | None = None
    p95: Change | None = None


@dataclass(frozen=True, slots=True)
class RowComparison:
    """How the figures of one name differ; a side on which the name is missing counts as 0.

    Attributes:
        name: the name of the scopes.
        presence: `both`, or `new` if the baseline has no such name, or `gone` if only it has.
        calls: change of the number of closed scopes.
        bytes_allocated: bytes that one call allocated; `None` if they cannot be compared.
        allocations: blocks that one call allocated; `None` if they cannot be compared.
        peak_bytes: high-water mark of one call; `None` if they cannot be compared.
        retained_bytes: bytes of all calls together that were alive when the report was made;
            `None` if they cannot be compared.
        baseline_verdict: what the figures of the baseline say; `None` for a new name.
        current_verdict: what the figures of now say; `None` for a name that is gone.
    """

    name: str
    presence: Literal["both", "new", "gone"]
    calls: Change
    bytes_allocated: DistributionChange | None
    allocations: DistributionChange | None
    peak_bytes: DistributionChange | None
    retained_bytes: Change | None
    baseline_verdict: Verdict | None
    current_verdict: Verdict | None

    @property
    def is_new_leak(self) -> bool:
        """Whether the name is found to leak now and was not in the baseline.

        One that retains no more than it did has only been judged by a hair.
        """
        return (
            self.current_verdict is not None
            and self.current_verdict.kind == "leaks"
            and (self.baseline_verdict is None or self.baseline_verdict.kind != "leaks")
            and (self.retained_bytes is None or self.retained_bytes.relative > _BY_A_HAIR)
        )

    @property
    def has_few_calls(self) -> bool:
        """Whether a side has fewer than 20 calls, too few to tell an outlier by percentiles."""
        return min(self.calls.baseline, self.calls.current) < MIN_CALLS

    @property
    def weight(self) -> float:
        """Bytes that all calls of now together allocate more than as many in the baseline did."""
        growth = self.bytes_allocated.mean.absolute if self.bytes_allocated else 0
        return growth * max(self.calls.current, 1)


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """How a report differs from a baseline; `str()` is a table.

    Attributes:
        rows: every name of either report: new leaks first, then those whose calls together
            allocate the most bytes more, those that are gone last.
        warnings: one sentence for each reason not to trust the comparison.
    """

    rows: tuple[RowComparison, ...]
    warnings: tuple[str, ...] = ()

    def row(self, name: str) -> RowComparison:
        """Return the comparison of the scopes called `name`.

        Raises:
            KeyError: neither report has that name.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no scope named {name!r} in either report; `rows` holds those that are")

    def to_dict(self) -> dict[str, object]:
        """Return the comparison as a new dictionary that `json` can write."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "allocmeter-comparison",
            "warnings": list(self.warnings),
            "scopes": [{**asdict(row), "is_new_leak": row.is_new_leak} for row in self.rows],
        }

    def __str__(self) -> str:
        from allocmeter.renderers.comparison import render

        return render(self)


def compare_reports(baseline: Report, current: Report) -> ReportComparison:
    """Compare two reports of the same work, name by name.

    Where only one of them contains native memory, bytes and allocations are compared without
    it if the report says how much it was, and are `None` if not; `peak_bytes` and
    `retained_bytes` are `None`. Safe from any task and thread.

    Args:
        baseline: the report of the earlier time.
        current: the report of now.
    """
    before = {row.name: row for row in baseline.rows}
    now = {row.name: row for row in current.rows}
    mixed = native_in_one(baseline, current)
    rows = [
        _compared(name, before.get(name), now.get(name), mixed=mixed) for name in {**before, **now}
    ]
    rows.sort(key=lambda row: (not row.is_new_leak, row.presence == "gone", -row.weight, row.name))
    return ReportComparison(tuple(rows), tuple(objections(baseline, current)))


def _compared(
    name: str, before: ReportRow | None, now: ReportRow | None, *, mixed: bool
) -> RowComparison:
    bytes_allocated: DistributionChange | None
    allocations: DistributionChange | None
    if mixed and before is not None and now is not None:
        bytes_allocated = _without_native(before, now, "bytes_allocated")
        allocations = _without_native(before, now, "allocations")
        peak_bytes = retained_bytes = None
    else:
        bytes_allocated = _spread(before, now, "bytes_allocated")
        allocations = _spread(before, now, "allocations")
        peak_bytes = _spread(before, now, "peak_bytes")
        retained_bytes = Change(
            before.retained_bytes if before else 0, now.retained_bytes if now else 0
        )
    return RowComparison(
        name=name,
        presence="new" if before is None else "gone" if now is None else "both",
        calls=Change(before.count if before else 0, now.count if now else 0),
        bytes_allocated=bytes_allocated,
        allocations=allocations,
        peak_bytes=peak_bytes,
        retained_bytes=retained_bytes,
        baseline_verdict=verdict(before) if before else None,
        current_verdict=verdict(now) if now else None,
    )


def _spread(
    before: ReportRow | None,
    now: ReportRow | None,
    quantity: Literal["bytes_allocated", "allocations", "peak_bytes"],
) -> DistributionChange:
    def change(figure: Literal["mean", "min", "p50", "p95"]) -> Change:
        rows = (before, now)
        return Change(*(getattr(getattr(row, quantity), figure) if row else 0 for row in rows))

    return DistributionChange(change("mean"), change("min"), change("p50"), change("p95"))


def _without_native(
    before: ReportRow, now: ReportRow, quantity: Literal["bytes_allocated", "allocations"]
) -> DistributionChange | None:
    """Return the change of the mean without native memory, `None` if no row says how much."""
    native = [getattr(row, f"native_{quantity}") for row in (before, now)]
    if native == [None, None]:
        return None
    means = [
        max(getattr(row, quantity).sum - (figure or 0), 0) / max(row.count, 1)
        for row, figure in zip((before, now), native, strict=True)
    ]
    return DistributionChange(Change(*means))
