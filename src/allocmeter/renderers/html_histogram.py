"""How the bytes of a scope's calls spread, drawn on a logarithmic scale."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from allocmeter.units import human_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from allocmeter.reports import ReportRow

    Bucket = tuple[int, int, int]

MOST_BARS: Final = 20

_WIDTH: Final = 1000
_HEIGHT: Final = 100


def merged(buckets: Sequence[Bucket], most: int = MOST_BARS) -> list[Bucket]:
    """Merge buckets into at most `most` adjacent ones of about equal width on a log scale.

    No bucket is split, so counts stay exact; a stretch that no value fell into stays empty.

    Args:
        buckets: `(lower, upper, count)` in bytes, in any order.
        most: how many to return at most, from 1.
    """
    found = sorted(bucket for bucket in buckets if bucket[2])
    if not found:
        return []
    lowest, highest = found[0][0], max(upper for _, upper, _ in found)
    edges = _edges(found, lowest, highest, most)
    counts = [0] * (len(edges) - 1)
    for lower, _, count in found:
        counts[min(bisect_right(edges, lower), len(counts)) - 1] += count
    return [(lower, upper, n) for (lower, upper), n in zip(pairwise(edges), counts, strict=True)]


def _edges(found: Sequence[Bucket], lowest: int, highest: int, most: int) -> list[int]:
    """Return edges at even distances, each moved to an end of the bucket it falls into."""
    start, stop = _log(lowest), _log(highest)
    edges = {lowest, max(highest, lowest + 1)}
    lowers = [lower for lower, _, _ in found]
    for index in range(1, most):
        edge = round(2 ** (start + (stop - start) * index / most) - 1)
        lower, upper, _ = found[max(bisect_right(lowers, edge) - 1, 0)]
        if lower < edge < upper:
            edge = lower if edge - lower < upper - edge else upper
        if lowest < edge < highest:
            edges.add(edge)
    return sorted(edges)


def _log(size: float) -> float:
    # Zero bytes have a place on the scale too.
    return math.log2(size + 1)


def histogram(row: ReportRow) -> Iterator[str]:
    """Return the figure of a row; none of a single call, or without buckets."""
    bars = merged(row.histogram)
    if not bars or row.count < 2:
        return
    start, stop = _log(bars[0][0]), _log(bars[-1][1])

    def place(size: float) -> float:
        """Return where a size stands between the ends of the scale, 0 to 1."""
        return min(max((_log(size) - start) / ((stop - start) or 1), 0), 1)

    edges = " ".join(str(edge) for edge in [*(bar[0] for bar in bars), bars[-1][1]])
    counts = " ".join(str(bar[2]) for bar in bars)
    yield f'<figure data-edges="{edges}" data-counts="{counts}"><svg>'
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" y="30" height="84">'
    marks = [("p50", row.bytes_allocated.p50, 12), ("p95", row.bytes_allocated.p95, 26)]
    lines = "".join(f"M{round(_WIDTH * place(size))} 0V{_HEIGHT}" for _, size, _ in marks)
    yield f'<path d="{_outline(bars, place)}"/><path d="{lines}"/></svg>'
    for label, size, height in marks:
        # Each text has a line of its own, and starts or ends where there is room.
        end = ' class="end"' if place(size) > 0.5 else ""
        x = f"{100 * place(size):.1f}%"
        yield f'<text x="{x}" y="{height}"{end}>{label} {human_bytes(size)}</text>'
    yield f'<text y="130">{human_bytes(bars[0][0])}</text>'
    yield f'<text x="100%" y="130" class="end">{human_bytes(bars[-1][1])}</text></svg></figure>'


def _outline(bars: Sequence[Bucket], place: Callable[[float], float]) -> str:
    fullest = max(count for _, _, count in bars)
    steps = [f"M0 {_HEIGHT}"]
    for _, upper, count in bars:
        # What is not empty is never drawn empty.
        height = max(round(_HEIGHT * count / fullest), 1) if count else 0
        steps.append(f"V{_HEIGHT - height}H{round(_WIDTH * place(upper))}")
    return "".join(steps) + f"V{_HEIGHT}"
