"""The timeline of live bytes and resident set size, drawn as two plots over one axis of time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from allocmeter.renderers.markup import json_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allocmeter.timeline import MemorySample

MOST_STEPS: Final = 300

_HEIGHT: Final = 120
_TOP: Final = 16
_WIDTH: Final = 1000
_UNITS: Final = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))
_TIME_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200)
_TIME_UNITS: Final = (
    *(("d", 86400.0), ("h", 3600.0), ("min", 60.0)),
    *(("s", 1.0), ("ms", 1e-3), ("us", 1e-6)),
)


class Scale(NamedTuple):
    """An axis from `low` to `high`, and where to label it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return where a value stands on the axis, 0 to 1."""
        return (value - self.low) / (self.high - self.low)


def thinned(samples: Sequence[MemorySample], steps: int = MOST_STEPS) -> list[MemorySample]:
    """Return at most four samples a step, among them every step's first, lows and highs.

    A plot has no more than `steps` columns to draw them in, so it looks as with all of them, and
    no spike is lost.
    """
    if len(samples) <= 4 * steps:
        return list(samples)
    kept: list[MemorySample] = []
    for step in range(steps):
        span = range(step * len(samples) // steps, (step + 1) * len(samples) // steps)
        chosen = {
            span[0],
            min(span, key=lambda index: samples[index].net_bytes),
            max(span, key=lambda index: samples[index].net_bytes),
            max(span, key=lambda index: samples[index].rss_bytes or 0),
        }
        kept += [samples[index] for index in sorted(chosen)]
    kept[-1:] = [samples[-1]]
    return kept


def section(timeline: Sequence[MemorySample]) -> Iterator[str]:
    """Return the plots of these samples; nothing if there are none."""
    samples = thinned(timeline)
    if not samples:
        return
    time = time_scale(samples[0].time, samples[-1].time)
    live = [(sample.time, sample.net_bytes) for sample in samples]
    resident = [
        (sample.time, sample.rss_bytes) for sample in samples if sample.rss_bytes is not None
    ]
    yield '<section class="timeline"><h2>Memory over time</h2><div class="plots">'
    about = "allocated since the start and not freed"
    yield from _plot("live", "Live bytes", about, live, time)
    if resident:
        yield from _plot("rss", "Resident set size", "of the whole process", resident, time)
    yield '<p class="readout" aria-live="polite" hidden></p></div>'
    values = [[round(s.time, 4), s.net_bytes, s.net_allocations, s.rss_bytes] for s in samples]
    yield json_block("samples", {"start": time.low, "end": time.high, "samples": values})
    yield "</section>"


def _plot(
    kind: str, title: str, about: str, points: Sequence[tuple[float, int]], time: Scale
) -> Iterator[str]:
    values = [value for _, value in points]
    scale = bytes_scale(min(values), max(values), from_zero=kind == "live")
    most = _bytes_label(max(values))
    yield f'<figure class="{kind}"><figcaption><b>{title}</b> {about}</figcaption>'
    yield (
        f'<svg class="plot" height="{_TOP + _HEIGHT + 20}" role="img" tabindex="0"'
        f' aria-label="{title} over time, at most {most}" data-kind="{kind}"'
        f' data-low="{scale.low}" data-high="{scale.high}" data-top="{_TOP}"'
        f' data-height="{_HEIGHT}">'
    )
    for tick in scale.ticks:
        y = round(_TOP + _HEIGHT * (1 - scale.place(tick)), 1)
        yield f'<line class="grid" x2="100%" y1="{y}" y2="{y}"/>'
    yield (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" y="{_TOP}"'
        f' height="{_HEIGHT}">{_curve(points, time, scale)}</svg>'
    )
    for tick in scale.ticks:
        y = round(_TOP + _HEIGHT * (1 - scale.place(tick)), 1)
        yield f'<text class="value" y="{y - 4}">{_bytes_label(tick)}</text>'
    for tick in time.ticks:
        share = time.place(tick)
        side = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        x, y = f"{100 * share:.2f}%", _TOP + _HEIGHT
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{y}" y2="{y + 4}"/>'
        yield f'<text class="{side}" x="{x}" y="{y + 16}">{_time_label(tick)}</text>'
    yield "</svg></figure>"


def _curve(points: Sequence[tuple[float, int]], time: Scale, scale: Scale) -> str:
    places = [
        (round(_WIDTH * time.place(at), 1), round(_HEIGHT * (1 - scale.place(value)), 1))
        for at, value in points
    ]
    if len(places) == 1:  # a line needs a second point to be seen
        places.append((float(_WIDTH), places[0][1]))
    line = "L".join(f"{x:g} {y:g}" for x, y in places)
    base = round(_HEIGHT * (1 - scale.place(max(scale.low, 0))), 1)
    area = f"M{places[0][0]:g} {base:g}L{line}L{places[-1][0]:g} {base:g}Z"
    return f'<path class="area" d="{area}"/><path class="line" d="M{line}"/>'


def bytes_scale(lowest: int, highest: int, *, from_zero: bool) -> Scale:
    """Return an axis of bytes with ticks at round figures, up to seven of them."""
    low, high = (min(lowest, 0), max(highest, 0)) if from_zero else (lowest, highest)
    spread = max(high - low, 1)
    unit = next(size for _, size in _UNITS if spread >= 2 * size or size == 1)
    # Whole bytes, so that no figure is too large to tell two ticks apart.
    step = max(round(_round_step(spread / unit / 4) * unit), 1)
    first, last = low // step, -(-high // step)
    ticks = range(first, max(last, first + 1) + 1)
    return Scale(ticks[0] * step, ticks[-1] * step, tuple(tick * step for tick in ticks))


def time_scale(start: float, end: float) -> Scale:
    """Return an axis of seconds with up to seven ticks at round times."""
    # Never without a width, also for a single sample, and where floats are coarse.
    end = max(end, start + 1e-6 * max(start, 1.0))
    least = (end - start) / 6
    step: float = next((step for step in _TIME_STEPS if step >= least), 0)
    if least <= 1:
        step = _round_step(least)
    elif not step:
        step = 86400 * _round_step(least / 86400)
    ticks = range(math.ceil(start / step), math.floor(end / step) + 1)
    return Scale(start, end, tuple(tick * step for tick in ticks))


def _round_step(least: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50, ... and of their tenths, hundredths, ..."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least * 0.999)


def _bytes_label(size: float) -> str:
    if not size:
        return "0"
    name, unit = next(found for found in _UNITS if abs(size) >= found[1] or found[1] == 1)
    return f"{round(size / unit, 2):,g} {name}"


def _time_label(seconds: float) -> str:
    if not seconds:
        return "0"
    # What was rounded a little below its unit is still called by it.
    fitting = (found for found in _TIME_UNITS if seconds * 1.001 >= found[1])
    name, unit = next(fitting, _TIME_UNITS[-1])
    return f"{round(seconds / unit, 3):,g} {name}"
