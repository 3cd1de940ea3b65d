"""The report: every named scope in figures, and the JSON that carries it between processes.

The JSON is the one format that renderers, exporters and comparisons read. Within a schema
version fields are added and never renamed, so a reader ignores fields that it does not know
and refuses a newer version.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from allocmeter.errors import ReportFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA_VERSION: Final = 1

# The core counts in 64 bits. A larger figure is damage, and would overflow a float later on.
_LARGEST: Final = 2**64


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
        process: figures of the whole process, in bytes; values that JSON has.
        created_at: when the report was made, ISO 8601 in UTC; `None` if not recorded.
    """

    rows: tuple[ReportRow, ...]
    allocmeter: str
    python: str
    platform: str
    backend: Mapping[str, object]
    process: Mapping[str, object]
    created_at: str | None = None

    def __post_init__(self) -> None:
        ordered = sorted(self.rows, key=lambda row: (-row.bytes_allocated.sum, row.name))
        object.__setattr__(self, "rows", tuple(ordered))

    def row(self, name: str) -> ReportRow:
        """Return the row of the scopes called `name`.

        Raises:
            KeyError: no scope of that name has closed.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no scope named {name!r} in this report; `rows` holds those that are")

    def __str__(self) -> str:
        from allocmeter.renderers.text import render

        return render(self)

    def to_dict(self) -> dict[str, object]:
        """Return the report as a new dictionary that `json` can write."""
        return {
            "schema_version": SCHEMA_VERSION,
            "allocmeter": self.allocmeter,
            "python": self.python,
            "platform": self.platform,
            "created_at": self.created_at,
            "backend": dict(self.backend),
            "process": dict(self.process),
            "scopes": _plain(self.rows),
        }

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
        _check_version(data)
        return _read(cls, data, "report")

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Return the report that `to_json` wrote, from text or from its UTF-8 bytes.

        Raises:
            ReportFormatError: the text is damaged, foreign or of a newer schema version.
        """
        import json

        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ReportFormatError(
                f"this is not a report: it cannot be read as JSON ({error}). Nothing was"
                " loaded. If the file was cut short, write it again with Report.to_json()."
            ) from error
        return cls.from_dict(data)


def _plain(value: object) -> object:
    """Return what JSON has in place of a row and its parts."""
    if isinstance(value, ReportRow | Distribution):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    return value


def _check_version(data: object) -> None:
    found = _mapping(data, "the document")
    if "schema_version" not in found:
        raise _damaged("schema_version", "is missing")
    version = _integer(found["schema_version"], "schema_version")
    if version != SCHEMA_VERSION:
        raise ReportFormatError(
            f"the report has schema version {version}, and this allocmeter reads version"
            f" {SCHEMA_VERSION}. Nothing was loaded. Upgrade allocmeter if the report is newer."
        )


def _damaged(place: str, problem: str) -> ReportFormatError:
    return ReportFormatError(
        f"the report is damaged or foreign: {place} {problem}. Nothing was loaded."
        " Write it again with Report.to_json()."
    )


def _mismatch(place: str, expected: str, value: object) -> ReportFormatError:
    # A figure says more than its type; anything else may be of any length.
    is_short = isinstance(value, int | float) and abs(value) < _LARGEST
    found = repr(value) if is_short else type(value).__name__
    return _damaged(place, f"should be {expected} and is {found}")


_Value = TypeVar("_Value", Distribution, ReportRow, Report)


def _read(kind: type[_Value], data: object, place: str) -> _Value:
    """Return the value object of this kind, each field read as its annotation says.

    A field that has a default may be missing: not every writer of version 1 has it.
    """
    found = _mapping(data, place)
    values: dict[str, Any] = {}
    for field in fields(kind):
        key = "scopes" if field.name == "rows" else field.name
        if found.get(key) is not None:
            read = _READERS[str(field.type).removesuffix(" | None")]
            values[field.name] = read(found[key], f"{place}.{key}")
        elif field.default is MISSING:
            raise _damaged(f"{place}.{key}", "is missing")
    return kind(**values)


def _mapping(value: object, place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _mismatch(place, "an object", value)
    return dict(cast("dict[str, object]", value))


def _items(value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise _mismatch(place, "a list", value)
    return cast("list[object]", value)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise _mismatch(place, "text", value)
    return value


def _integer(value: object, place: str, expected: str = "a whole number from 0") -> int:
    # A bool is an int, but no figure.
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise _mismatch(place, expected, value)
    return value


def _number(value: object, place: str) -> float:
    # NaN fails every comparison, so it is refused as well.
    if isinstance(value, float) and 0 <= value < _LARGEST:
        return value
    return _integer(value, place, "a number from 0")


def _buckets(value: object, place: str) -> tuple[tuple[int, ...], ...]:
    buckets = [
        tuple(_integer(figure, place) for figure in _items(item, place))
        for item in _items(value, place)
    ]
    if any(len(bucket) != 3 or bucket[0] > bucket[1] for bucket in buckets):
        raise _damaged(place, "should hold buckets of lower edge, upper edge and count")
    return tuple(buckets)


def _rows(value: object, place: str) -> tuple[ReportRow, ...]:
    rows = tuple(
        _read(ReportRow, item, f"{place}[{index}]")
        for index, item in enumerate(_items(value, place))
    )
    if len({row.name for row in rows}) < len(rows):
        raise _damaged(place, "holds one name twice")
    return rows


# By annotation: a reader takes a value and its place, and returns the value if it is sound.
_READERS: Final[Mapping[str, Callable[[object, str], object]]] = {
    "int": _integer,
    "float": _number,
    "str": _text,
    "Mapping[str, object]": _mapping,
    "Distribution": lambda value, place: _read(Distribution, value, place),
    "tuple[tuple[int, int, int], ...]": _buckets,
    "tuple[ReportRow, ...]": _rows,
}
