"""Tables of results, in Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from benchmarks.conditions import CONDITIONS, NOTHING, NULL_HOOK
from benchmarks.entering import COMPARED
from benchmarks.spreads import mean_ratios, ratios, spread
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import NAMES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.conditions import Condition
    from benchmarks.results import Results
    from benchmarks.spreads import Spread

MISSING: Final = "-"
NANO, MILLI = 1e9, 1e3


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are figures."""
    body = list(rows)
    if not body:
        return "Not measured."
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def cell(found: Spread | None, digits: int = 2) -> str:
    """Return a median and half of the distance between the quartiles."""
    if found is None:
        return MISSING
    if found.of == 1:
        return f"{found.median:.{digits}f}"
    return f"{found.median:.{digits}f} ±{found.half_width:.{digits}f}"


def measured_in(results: Results, group: str) -> list[Condition]:
    """Return the conditions that a group has samples of."""
    keys = {s.condition for s in results.samples if s.subject in NAMES[group]}
    return [condition for key, condition in CONDITIONS.items() if key in keys]


def ratio_table(
    results: Results,
    group: str,
    base: Condition,
    others: Sequence[Condition] | None = None,
    figure: str = "seconds",
) -> str:
    """Return what conditions cost in a group, relative to one of them."""
    found = measured_in(results, group)
    shown = [one for one in others or found if one in found and one != base]
    rows = [
        [
            name,
            *(cell(spread(ratios(results, name, c.key, base.key, figure).values())) for c in shown),
        ]
        for name in NAMES[group]
        if any(results.by_round(name, condition.key, figure) for condition in shown)
    ]
    if len(rows) > 1 and figure == "seconds":
        means = (mean_ratios(results, NAMES[group], c.key, base.key) for c in shown)
        rows.append(["**geometric mean**", *(cell(spread(mean.values())) for mean in means)])
    return table(["", *(condition.label for condition in shown)], rows)


def summary_table(results: Results) -> str:
    """Return the mean cost of every condition on the two sets of programs."""
    groups = {
        "allocation": "programs that do little but allocate",
        "pyperformance": "pyperformance",
    }
    shown = [one for one in measured_in(results, "allocation") if one != NOTHING]
    means = {
        (group, condition): spread(
            mean_ratios(results, NAMES[group], condition.key, NOTHING.key).values()
        )
        for group in groups
        for condition in shown
    }
    rows = [
        [condition.label, *(cell(means[group, condition]) for group in groups)]
        for condition in shown
    ]
    return table(["", *groups.values()], rows)


def time_table(results: Results, group: str) -> str:
    """Return CPU milliseconds of a run."""
    shown = measured_in(results, group)
    rows = []
    for name in NAMES[group]:
        found = [results.by_round(name, condition.key, "seconds").values() for condition in shown]
        if any(found):
            rows.append([name, *(cell(spread(v * MILLI for v in each)) for each in found)])
    return table(["CPU milliseconds", *(condition.label for condition in shown)], rows)


def server_table(results: Results) -> str:
    """Return throughput and CPU time of each condition."""
    rows = []
    for name in NAMES["server"]:
        for condition in measured_in(results, "server"):
            rates = results.by_round(name, condition.key, "requests per second")
            if not rates:
                continue
            costs = results.by_round(name, condition.key, "seconds")
            relative = (
                ratios(results, name, condition.key, NOTHING.key, figure)
                for figure in ("requests per second", "seconds")
            )
            rows.append(
                [
                    f"{name}, {condition.label}",
                    f"{statistics.median(rates.values()):,.0f}",
                    cell(spread(cost * 1e6 for cost in costs.values()), 1),
                    *(cell(spread(found.values()), 3) for found in relative),
                ]
            )
    heads = ["", "requests/s", "CPU µs each", "throughput to nothing", "CPU to nothing"]
    return table(heads, rows)


def entering_table(results: Results) -> str:
    """Return nanoseconds of one time in and out, and the ratio to the empty class."""
    (subject,) = NAMES["entering"]
    rows = []
    for name, base in COMPARED.items():
        found = results.by_round(subject, "scope", name)
        below = results.by_round(subject, "scope", base)
        if not found:
            continue
        rows.append(
            [
                name,
                cell(spread(value * NANO for value in found.values()), 0),
                cell(spread(found[number] / below[number] for number in found)),
            ]
        )
    return table(["", "ns", "to the empty class"], rows)


def curves(results: Results, subject: str) -> dict[str, list[int]]:
    """Return the points of each curve of a subject."""
    found: dict[str, list[int]] = {}
    for figure in results.figures(subject):
        curve, _, point = figure.rpartition(" ")
        found.setdefault(curve, []).append(int(point))
    return found


def curve_table(results: Results, subject: str, curve: str, points: Sequence[int]) -> str:
    """Return nanoseconds for an allocation and its free, at each point of a curve."""
    (found,) = (one for one in SUBJECTS if one.name == subject)
    rows = []
    for point in points:
        figure = f"{curve} {point}"
        cells = (
            cell(spread(v * NANO for v in results.by_round(subject, c.key, figure).values()), 1)
            for c in found.conditions
        )
        over = (
            cell(spread(ratios(results, subject, "scope", base.key, figure).values()))
            for base in (NOTHING, NULL_HOOK)
        )
        rows.append([f"{point:,}", *cells, *over])
    labels = (condition.label for condition in found.conditions)
    heads = [f"{subject}: {curve}", *labels, "scope to nothing", "scope to null hook"]
    return table(heads, rows)


def memory_table(results: Results) -> str:
    """Return bytes of resident memory for each object, and how much more that is."""
    shown = measured_in(results, "memory")
    rows = []
    for name in NAMES["memory"]:
        for points in curves(results, name).values():
            for point in points:
                figure = f"resident {point}"
                bytes_each = (
                    spread(
                        value / point
                        for value in results.by_round(name, condition.key, figure).values()
                    )
                    for condition in shown
                )
                more = (
                    spread(
                        (ratio - 1) * 100
                        for ratio in ratios(results, name, c.key, NOTHING.key, figure).values()
                    )
                    for c in shown
                    if c != NOTHING
                )
                rows.append(
                    [
                        f"{name}, {point:,}",
                        *(cell(found, 1) for found in bytes_each),
                        *(f"{cell(found, 1)} %" if found else MISSING for found in more),
                    ]
                )
    labels = [condition.label for condition in shown]
    heads = ["bytes an object", *labels, *(f"{label}, on top" for label in labels[1:])]
    return table(heads, rows)


def target_table(results: Results) -> str:
    """Return what was promised beside what was reached."""
    rows = []
    for target in TARGETS:
        sign = "≥" if target.least else "≤"
        found = target.measured(results)
        note = target.note(results) if found else ""
        fastest = target.fastest(results)
        rows.append(
            [
                target.name,
                f"{sign} {target.must:.2f}",
                f"{sign} {target.aim:.2f}",
                f"{cell(found, 3)}{f' ({note})' if note else ''}",
                "" if fastest is None else f"{fastest:.3f}",
                target.verdict(results),
            ]
        )
    return table(["figure", "must", "aim", "reached", "by the fastest runs", ""], rows)
