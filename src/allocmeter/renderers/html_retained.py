"""What the calls of a name retain: how it grows, and of which age it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.renderers.markup import exact, safe
from allocmeter.reports import AGE_BANDS
from allocmeter.verdicts import judged_growth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocmeter.reports import ReportRow

_YOUNGEST: Final = 0.25  # how opaque the bar of the youngest is; that of the oldest is 1


def growth(row: ReportRow) -> Iterator[str]:
    """Return a paragraph on the growth of a row; nothing where it is not known."""
    found = judged_growth(row)
    if found is None:
        return
    each = _whole(found.bytes_per_1000_calls)
    limits = f"{_whole(found.low)} to {_whole(found.high)}"
    yield (
        f"<p>what they retain grows by {each} bytes per 1,000 calls (95 % confidence: {limits}); "
        f"before, by {_whole(found.earlier)}</p>"
    )


def ages(row: ReportRow) -> Iterator[str]:
    """Return a bar and a table of what a row retains by age; nothing where it retains nothing."""
    bands = row.retained_by_age
    whole = sum(size for size, _ in bands)
    if len(bands) != len(AGE_BANDS) or not whole:
        return
    yield '<div class="ages"><svg>'
    start = 0.0
    for place, (size, _) in enumerate(bands):
        width = 100 * size / whole
        yield f'<rect x="{start:.4g}%" width="{width:.4g}%" fill-opacity="{_opacity(place)}"/>'
        start += width
    headings = "".join(
        f'<th><svg><rect width="100%" fill-opacity="{_opacity(place)}"/></svg>{safe(age, 20)}</th>'
        for place, age in enumerate(AGE_BANDS)
    )
    yield f"</svg><table><tr><th>retained now, by age</th>{headings}</tr>"
    for quantity, figures in zip(("bytes", "blocks"), zip(*bands, strict=True), strict=True):
        cells = "".join(f"<td>{exact(figure)}</td>" for figure in figures)
        yield f"<tr><th>{quantity}</th>{cells}</tr>"
    yield "</table></div>"


def _whole(size: float) -> str:
    return exact(round(size))


def _opacity(place: int) -> str:
    return f"{_YOUNGEST + (1 - _YOUNGEST) * place / (len(AGE_BANDS) - 1):g}"
