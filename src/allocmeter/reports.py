"""The report: every named scope in figures, with the facts needed to compare them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from allocmeter.report_order import ordered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocmeter.timeline import MemorySample

# How long ago scopes had closed whose memory is alive, in the order of `retained_by_age`.
AGE_BANDS: Final = ("<10s", "10s-1m", "1m-10m", ">10m")


@dataclass(frozen=True, slots=True)
class Distribution:
    """How one quantity was spread over the closed scopes of a name.

    The unit is that of the field which holds it: bytes, or a number of allocations. Every
    figure is 0 when no scope has closed. Percentiles may be estimates from a log-linear
    histogram, within 1.6 % of the exact value; `sum`, `min` and `max` are exact.

    Attributes:
        sum: total over all scopes.
        min: smallest value.
        mean: arithmetic mean.
        p50: median.
        p95: 95th percentile.
        p99: 99th percentile.
        max: largest value.
    """

    sum: int
    min: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: int


@dataclass(frozen=True, slots=True)
class RetainedGrowth:
    """How what all calls of a name retain together grows with their number.

    In bytes per 1,000 calls; negative where it shrinks. How they are estimated: `growth.py`.

    Attributes:
        bytes_per_1000_calls: over the latest half of the calls.
        low: lower limit of its 95 % confidence interval.
        high: upper limit.
        earlier: the growth over the first half, without its beginning. A cache that fills up
            grows more and more slowly, a leak goes on.
    """

    bytes_per_1000_calls: float
    low: float
    high: float
    earlier: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves 0 out, so that it does grow, or shrink."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What the scopes of one name did.

    Attributes:
        name: the scopes' name; `(other)` gathers what came after the cap on names.
        count: scopes that closed, however they ended.
        errors: how many of those ended by an exception other than cancellation.
        cancelled: how many of those were cancelled.
        bytes_allocated: bytes that each scope allocated.
        allocations: allocations that each scope made.
        peak_bytes: high-water mark of each scope's live bytes.
        retained_bytes: bytes of all these scopes that were alive when the report was made.
        retained_allocations: blocks of all these scopes that were alive then.
        late_bytes_allocated: bytes allocated by work that outlived its scope.
        retained: bytes that each scope had alive when it closed; `None` if a report does not
            carry them.
        histogram: bytes allocated per scope as log-linear buckets `(lower, upper, count)`,
            edges in bytes; empty if a report does not carry it.
        native_bytes_allocated: bytes out of all that these scopes allocated which C code asked
            of `malloc` by itself; `None` if native memory was not seen.
        native_allocations: likewise in blocks.
        retained_by_age: bytes and blocks alive when the report was made, of scopes that had
            closed less than 10 seconds, 1 minute, 10 minutes before, and longer ago; empty if a
            report does not carry them.
        retained_growth: how what they retain grows with their number; `None` if a report does
            not carry it, or they are too few.
    """

    name: str
    count: int
    errors: int
    cancelled: int
    bytes_allocated: Distribution
    allocations: Distribution
    peak_bytes: Distribution
    retained_bytes: int
    retained_allocations: int
    late_bytes_allocated: int
    retained: Distribution | None = None
    histogram: tuple[tuple[int, int, int], ...] = ()
    native_bytes_allocated: int | None = None
    native_allocations: int | None = None
    retained_by_age: tuple[tuple[int, int], ...] = ()
    retained_growth: RetainedGrowth | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All named scopes of a process, with the facts needed to compare them with others.

    A value: it does not change when further scopes close. `str()` gives a text table.

    Attributes:
        rows: one row a name, the largest total of bytes allocated first, then by name.
        allocmeter: version of this library that measured.
        python: version of the interpreter that was measured.
        platform: operating system and machine.
        backend: what the native core could see, and why not more; values that JSON has.
        process: figures of the whole process, in bytes and blocks; values that JSON has.
        created_at: when the report was made, ISO 8601 in UTC; `None` if not recorded.
        timeline: samples of the live memory of the process, the earliest first; empty unless a
            sampler ran, which also bounds their number.
        program: what was run, as its command line says it; `None` if not recorded.
    """

    rows: tuple[ReportRow, ...]
    allocmeter: str
    python: str
    platform: str
    backend: Mapping[str, object]
    process: Mapping[str, object]
    created_at: str | None = None
    timeline: tuple[MemorySample, ...] = ()
    program: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", ordered(self.rows))

    def row(self, name: str) -> ReportRow:
        """Return the row of the scopes called `name`.

        Raises:
            KeyError: no scope of that name has closed.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no scope named {name!r} in this report; `rows` holds those that are")

    def domains_seen(self) -> tuple[str, ...] | None:
        """Return the allocator domains whose memory is in the figures; `None`: it does not say."""
        found = self.backend.get("domains")
        if not isinstance(found, dict):
            return None
        why_not = cast("dict[str, object]", found)
        return tuple(name for name in why_not if why_not[name] == "")

    def __str__(self) -> str:
        from allocmeter.renderers.text import render

        return render(self)

    def to_dict(self) -> dict[str, object]:
        """Return the report as a new dictionary that `json` can write."""
        from allocmeter.report_format import to_plain

        return to_plain(self)

    def to_json(self, indent: int | None = None) -> str:
        """Return the report as JSON text in ASCII, indented by `indent` spaces if given.

        Raises:
            TypeError: `backend` or `process` holds a value that JSON does not have.
            ValueError: a figure is not finite.
        """
        import json

        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Report:
        """Return the report that `to_dict` wrote; unknown fields are ignored.

        Raises:
            ReportFormatError: the data is damaged, foreign or of a newer schema version.
        """
        from allocmeter.report_format import from_plain

        return from_plain(data)

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Return the report that `to_json` wrote, from text or from its UTF-8 bytes.

        Raises:
            ReportFormatError: the text is damaged, foreign or of a newer schema version.
        """
        from allocmeter.report_format import parsed

        return cls.from_dict(parsed(text))
