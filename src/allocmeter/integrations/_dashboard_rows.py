"""A row of the live page as JSON, made again only when it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocmeter._core import preload
from allocmeter._core.figures import read_aggregate, read_retention
from allocmeter.growth import retained_growth
from allocmeter.registry import row_of
from allocmeter.verdicts import verdict

if TYPE_CHECKING:
    from allocmeter.reports import ReportRow, RetainedGrowth

# The core keeps up to so many samples of what is retained, at even distances of calls. Until this
# part of all calls is new, there is at most one new sample, and the growth is the same.
_SAMPLES: Final = 128


class RowText:
    """The figures of one name.

    Args:
        name: what the scopes are called.
        aggregate: what they are summed up in.

    Attributes:
        aggregate: likewise.
        text: the row in JSON, after the first `update`.
    """

    __slots__ = ("_growth", "_growth_count", "_known", "_name", "aggregate", "text")

    def __init__(self, name: str, aggregate: Any) -> None:
        self._name = name
        self.aggregate = aggregate
        self.text = ""
        self._known = b""
        self._growth: RetainedGrowth | None = None
        self._growth_count = 0

    def update(self) -> None:
        """Bring the text up to date."""
        figures = read_aggregate(self.aggregate)
        known = bytes(figures)
        if known == self._known:
            return
        import json

        row = self._row(figures)
        plain = {**_fields(row), "verdict": verdict(row)}
        self.text = json.dumps(plain, allow_nan=False, default=_fields)
        self._known = known

    def _row(self, figures: Any) -> ReportRow:
        growth = self._current_growth(figures.count)
        return row_of(self._name, figures, growth=growth, native=preload.is_seen())

    def _current_growth(self, count: int) -> RetainedGrowth | None:
        # Estimating it takes longer than all the rest of a row.
        if count - self._growth_count > count // _SAMPLES:
            self._growth = retained_growth(read_retention(self.aggregate))
            self._growth_count = count
        return self._growth


def _fields(value: Any) -> dict[str, object]:
    """Return what `Report.to_dict` has in place of a row and of its parts, in less time."""
    return {name: getattr(value, name) for name in value.__slots__}
