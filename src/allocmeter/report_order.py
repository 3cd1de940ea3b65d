"""The orders in which the rows of a report can be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from allocmeter.reports import ReportRow

_FIGURES: Final[Mapping[str, Callable[[ReportRow], int]]] = {
    "bytes": lambda row: row.bytes_allocated.sum,
    "allocations": lambda row: row.allocations.sum,
    "peak": lambda row: row.peak_bytes.max,
    "retained": lambda row: row.retained_bytes,
    "calls": lambda row: row.count,
    "name": lambda row: 0,  # noqa: ARG005 - nothing but the name, which settles every tie
}

SORT_KEYS: Final = tuple(_FIGURES)


def ordered(rows: Iterable[ReportRow], key: str = "bytes") -> tuple[ReportRow, ...]:
    """Return the rows with the largest figure first; those that are equal stand by name.

    Args:
        rows: in any order.
        key: `bytes` or `allocations`, as allocated by all scopes of the name together; `peak`,
            the highest of any of them; `retained`, bytes; `calls`, scopes that closed; `name`.

    Raises:
        ValueError: there is no such key.
    """
    if key not in _FIGURES:
        raise ValueError(f"rows cannot be sorted by {key!r}; the keys are {', '.join(SORT_KEYS)}")
    figure = _FIGURES[key]
    return tuple(sorted(rows, key=lambda row: (-figure(row), row.name)))
