"""Plots of results, as SVG."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.conditions import CONDITIONS, NOTHING, NULL_HOOK, SCOPE, TRACEMALLOC
from benchmarks.spreads import mean_ratios, ratios, spread
from benchmarks.tables import curves, measured_in
from benchmarks.targets import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.results import Results
    from benchmarks.spreads import Spread

# The same results give the same file, and text stays text.
STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "allocmeter",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
TIMES: Final = "\N{MULTIPLICATION SIGN}"
OURS, OTHER, FLOOR = "#0b6e4f", "#8d99ae", "#c9cfd9"
COLORS: Final = {
    NOTHING.key: FLOOR,
    NULL_HOOK.key: OTHER,
    SCOPE.key: OURS,
    TRACEMALLOC.key: "#b5651d",
}
MEANS: Final = {
    "allocation": "allocation-heavy programs",
    "pyperformance": "pyperformance programs",
}


def draw(results: Results, directory: Path) -> Iterator[Path]:
    """Write every plot that there are results for, and yield where."""
    with mpl.rc_context(STYLE):
        if any(bars(results, group) for group in MEANS):
            yield _saved(cost(results), directory / "cost.svg")
        for subject in NAMES["scaling"]:
            if results.figures(subject):
                name = f"scaling-{subject.replace(' ', '-')}.svg"
                yield _saved(scaling(results, subject), directory / name)
        if any(results.figures(subject) for subject in NAMES["memory"]):
            yield _saved(memory(results), directory / "memory.svg")


def _saved(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    # Lines that end in spaces would be changes that nobody made.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(map(str.rstrip, lines)) + "\n", encoding="utf-8")
    return path


def bars(results: Results, group: str) -> dict[str, Any]:
    """Return the mean cost of each condition in a group, to nothing, by its key."""
    found = {
        condition.key: spread(
            mean_ratios(results, NAMES[group], condition.key, NOTHING.key).values()
        )
        for condition in measured_in(results, group)
        if condition != NOTHING
    }
    return {key: value for key, value in found.items() if value is not None}


def cost(results: Results) -> Figure:
    """Draw what each tool costs on the two sets, as bars on a logarithmic axis."""
    figure = Figure(figsize=(8.2, 3.3), layout="constrained")
    groups = [group for group in MEANS if bars(results, group)]
    for axes, group in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        found = bars(results, group)
        keys = list(reversed(found))
        medians = [found[key].median for key in keys]
        errors = [
            [found[key].median - found[key].low for key in keys],
            [found[key].high - found[key].median for key in keys],
        ]
        ours = {"idle", "scope", "tracking", "preloaded"}
        colors = [OURS if key in ours else OTHER for key in keys]
        labels = [
            f"allocmeter, {CONDITIONS[key].label}" if key in ours else CONDITIONS[key].label
            for key in keys
        ]
        axes.barh(labels, [value - 1 for value in medians], left=1, color=colors)
        axes.errorbar(medians, labels, xerr=errors, fmt="none", ecolor="#333333", elinewidth=0.8)
        axes.set_xscale("log")
        ticks = [1, 1.5, 2, 3, 5, 10, 20]
        axes.set_xticks(ticks, [f"{tick:g}{TIMES}" for tick in ticks], minor=False)
        axes.minorticks_off()
        axes.set_xlim(0.95, max(*medians, 2) * 1.5)
        for value, label in zip(medians, labels, strict=True):
            axes.annotate(
                f" {value:.2f}{TIMES}",
                (value, label),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_title(f"CPU time, {MEANS[group]}", fontsize=9)
    return figure


def scaling(results: Results, subject: str) -> Figure:
    """Draw the cost of an allocation along each curve of a subject."""
    found = curves(results, subject)
    figure = Figure(figsize=(4.1 * len(found), 2.8), layout="constrained")
    for axes, (curve, points) in zip(
        figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True
    ):
        for key in (NOTHING.key, NULL_HOOK.key, SCOPE.key):
            spreads = {
                point: spread(results.by_round(subject, key, f"{curve} {point}").values())
                for point in points
            }
            _line(axes, key, {point: one for point, one in spreads.items() if one is not None})
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(subject)
        axes.set_ylabel("ns an allocation and its free")
        axes.set_title(curve, fontsize=9)
        axes.legend(frameon=False, fontsize=8)
    return figure


def _line(axes: Axes, key: str, here: dict[int, Spread]) -> None:
    color, label = COLORS[key], CONDITIONS[key].label
    nano = 1e9
    axes.plot(
        list(here),
        [value.median * nano for value in here.values()],
        "o-",
        ms=3,
        color=color,
        label=label,
    )
    axes.fill_between(
        list(here),
        [value.low * nano for value in here.values()],
        [value.high * nano for value in here.values()],
        color=color,
        alpha=0.2,
        linewidth=0,
    )


def memory(results: Results) -> Figure:
    """Draw resident memory on top of the heap, against the number of objects."""
    figure = Figure(figsize=(8.2, 2.8), layout="constrained")
    names = [name for name in NAMES["memory"] if results.figures(name)]
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key in (SCOPE.key, TRACEMALLOC.key):
            on_top = {
                point: statistics.median(found.values()) * 100 - 100
                for points in curves(results, name).values()
                for point in points
                if (found := ratios(results, name, key, NOTHING.key, f"resident {point}"))
            }
            axes.plot(
                list(on_top),
                list(on_top.values()),
                "o-",
                ms=3,
                color=COLORS[key],
                label=CONDITIONS[key].label,
            )
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("live objects")
        axes.set_ylabel("resident memory on top, %")
        axes.set_title(name, fontsize=9)
        axes.legend(frameon=False, fontsize=8)
    return figure
