"""The JSON of a report: writing it, and reading it without trusting it.

It is the one format that renderers, exporters and comparisons read:

    {"schema_version": 1, "allocmeter": ..., "python": ..., "platform": ..., "created_at": ...,
     "program": ..., "backend": {...}, "process": {...}, "scopes": [row, ...],
     "timeline": [[time, net_bytes, net_allocations, rss_bytes], ...]}

A row is an object with the fields of `ReportRow`; a sample of the timeline is a list, because
there are thousands of them: seconds since the start, bytes and blocks alive (negative if more
was freed than allocated), and the resident set in bytes or null. Within a schema version fields
are added, to a sample at its end, and never renamed. So a reader ignores what it does not know,
and refuses a newer version.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from allocmeter.errors import ReportFormatError
from allocmeter.reports import Distribution, Report, ReportRow, RetainedGrowth
from allocmeter.timeline import MemorySample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA_VERSION: Final = 1

# The core counts in 64 bits. A larger figure is damage, and would overflow a float later on; so
# would dividing by one that is smaller than the mean of a single byte over that many scopes.
_LARGEST: Final = 2**64
_SMALLEST: Final = 2.0**-64
_SAMPLE_FIELDS: Final = 4


def to_plain(report: Report) -> dict[str, object]:
    """Return a report as a new dictionary that `json` can write."""
    return {
        "schema_version": SCHEMA_VERSION,
        "allocmeter": report.allocmeter,
        "python": report.python,
        "platform": report.platform,
        "created_at": report.created_at,
        "program": report.program,
        "backend": dict(report.backend),
        "process": dict(report.process),
        "scopes": _plain(report.rows),
        "timeline": _plain(report.timeline),
    }


def from_plain(data: Mapping[str, object]) -> Report:
    """Return the report that `to_plain` wrote.

    Raises:
        ReportFormatError: the data is damaged, foreign or of a newer schema version.
    """
    _check_version(data)
    return _read(Report, data, "report")


def parsed(text: str | bytes) -> Any:
    """Return what the JSON of a report says, whatever that is.

    Raises:
        ReportFormatError: the text is no JSON.
    """
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportFormatError(
            f"this is not a report: it cannot be read as JSON ({error}). Nothing was"
            " loaded. If the file was cut short, write it again with Report.to_json()."
        ) from error


def _plain(value: object) -> object:
    """Return what JSON has in place of a row, a sample and their parts."""
    if isinstance(value, ReportRow | Distribution | RetainedGrowth):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, MemorySample):
        return [value.time, value.net_bytes, value.net_allocations, value.rss_bytes]
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
    if isinstance(value, float) and (value == 0 or _SMALLEST <= value < _LARGEST):
        return value
    return _integer(value, place, "a number from 0")


def _signed(value: object, place: str) -> int:
    if type(value) is not int or abs(value) >= _LARGEST:
        raise _mismatch(place, "a whole number", value)
    return value


def _slope(value: object, place: str) -> float:
    if type(value) not in (int, float) or not abs(cast("float", value)) < _LARGEST:
        raise _mismatch(place, "a number", value)
    return cast("float", value)


def _growth(value: object, place: str) -> RetainedGrowth:
    found = _mapping(value, place)
    slopes = {}
    for field in fields(RetainedGrowth):
        if field.name not in found:
            raise _damaged(f"{place}.{field.name}", "is missing")
        slopes[field.name] = _slope(found[field.name], f"{place}.{field.name}")
    return RetainedGrowth(**slopes)


def _bands(value: object, place: str) -> tuple[tuple[int, ...], ...]:
    bands = [
        tuple(_integer(figure, place) for figure in _items(item, place))
        for item in _items(value, place)
    ]
    if any(len(band) != 2 for band in bands):
        raise _damaged(place, "should hold pairs of bytes and blocks")
    return tuple(bands)


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


def _timeline(value: object, place: str) -> tuple[MemorySample, ...]:
    samples = tuple(
        _sample(_items(item, f"{place}[{index}]"), f"{place}[{index}]")
        for index, item in enumerate(_items(value, place))
    )
    if any(earlier.time > later.time for earlier, later in pairwise(samples)):
        raise _damaged(place, "is not in the order of time")
    return samples


def _sample(figures: list[object], place: str) -> MemorySample:
    if len(figures) < _SAMPLE_FIELDS:
        raise _damaged(place, "should hold time, live bytes, live blocks and resident bytes")
    time, net_bytes, net_allocations, rss_bytes = figures[:_SAMPLE_FIELDS]
    return MemorySample(
        _number(time, place),
        _signed(net_bytes, place),
        _signed(net_allocations, place),
        None if rss_bytes is None else _integer(rss_bytes, place),
    )


# By annotation: a reader takes a value and its place, and returns the value if it is sound.
_READERS: Final[Mapping[str, Callable[[object, str], object]]] = {
    "int": _integer,
    "float": _number,
    "str": _text,
    "Mapping[str, object]": _mapping,
    "Distribution": lambda value, place: _read(Distribution, value, place),
    "tuple[tuple[int, int, int], ...]": _buckets,
    "tuple[ReportRow, ...]": _rows,
    "tuple[tuple[int, int], ...]": _bands,
    "RetainedGrowth": _growth,
    "tuple[MemorySample, ...]": _timeline,
}
