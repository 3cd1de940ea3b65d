"""The figures behind the live page: a report in JSON, made in small steps.

The document is what `Report.to_json()` writes, so whatever reads a report reads it. Its rows lack
the histogram, and each has in addition

    "verdict": {"kind": "leaks", "reason": "keeps 1.0 KiB a call ..."}

and beside the rows there is

    "dashboard": {"version": 1, "time": 12.5, "instance": "...", "process_id": 4711, "cost": 0.002}

`time` is in seconds on a clock of the process that never goes back, for rates between two
documents; `instance` is another one after the program was started anew, and in each process that
was forked; `cost` is what making the document took, in seconds. Within a version, fields are added
and never renamed.

Reading a thousand rows and writing them down takes long enough for a server to stall. So rows that
did not change are not made again, and after every few rows other tasks get their turn.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from anyio.lowlevel import checkpoint

from allocmeter._core.figures import refresh_retained
from allocmeter._core.own import OWN
from allocmeter.integrations._dashboard_rows import RowText

if TYPE_CHECKING:
    from allocmeter.registry import Registry

VERSION: Final = 1

# So many rows take a few milliseconds at most.
_ROWS_AT_A_TIME: Final = 8

# Several open pages share a document.
_FRESH_SECONDS: Final = 0.5


class Figures:
    """Makes the documents of one registry. To be used by one event loop.

    Args:
        registry: whose rows to show.
    """

    __slots__ = ("_cost", "_document", "_made_at", "_registry", "_rows", "_token")

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._rows: dict[str, RowText] = {}
        self._document = b""
        self._made_at = float("-inf")
        self._cost = 0.0
        self._token = os.urandom(8).hex()

    async def document(self) -> bytes:
        """Return the document as it stands now, or did a moment ago."""
        if time.monotonic() - self._made_at < _FRESH_SECONDS:
            return self._document
        with OWN:
            began = time.perf_counter()
            refresh_retained()
            current = list(self._registry._aggregates.copy().items())  # noqa: SLF001 - ours
            now = time.monotonic()
            rows: dict[str, RowText] = {}
            cost = time.perf_counter() - began
        for first in range(0, len(current), _ROWS_AT_A_TIME):
            await checkpoint()
            with OWN:
                began = time.perf_counter()
                for name, aggregate in current[first : first + _ROWS_AT_A_TIME]:
                    rows[name] = self._row(name, aggregate)
                cost += time.perf_counter() - began
        with OWN:
            began = time.perf_counter()
            self._rows = rows
            text = self._frame(now, self._cost) + ",".join(row.text for row in rows.values())
            self._document = (text + "]}").encode("ascii")
            self._made_at = now
            self._cost = cost + time.perf_counter() - began
            return self._document

    def _row(self, name: str, aggregate: Any) -> RowText:
        row = self._rows.get(name)
        if row is None or row.aggregate is not aggregate:
            row = RowText(name, aggregate)
        row.update()
        return row

    def _frame(self, now: float, cost: float) -> str:
        """Return the document up to its first row."""
        import json

        from allocmeter.facts import report_of

        frame = report_of(()).to_dict()
        del frame["scopes"]
        pid = os.getpid()
        frame["dashboard"] = {
            "version": VERSION,
            "time": round(now, 6),
            "instance": f"{self._token}-{pid}",
            "process_id": pid,
            "cost": round(cost, 6),
        }
        return json.dumps(frame, allow_nan=False)[:-1] + ', "scopes": ['
