"""The document that shows results: its tables and plots are made anew, its prose stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from benchmarks import machine, tables
from benchmarks.conditions import IDLE, NOTHING, NULL_HOOK, PRELOADED, SCOPE, TRACKING
from benchmarks.paths import DOCS, ROOT
from benchmarks.targets import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import Results

DOCUMENT: Final = "benchmarks.md"
README: Final = ROOT / "README.md"
SECTION: Final = re.compile(r"(<!-- ([\w ]+): begin -->\n).*?(<!-- \2: end -->)", re.DOTALL)


def sections(results: Results) -> dict[str, str]:
    """Return the parts of the document that come from results, by name."""
    ours = (IDLE, SCOPE, TRACKING, PRELOADED)
    found = {
        "machine": f"{machine.line(results.machine)}; {results.rounds} rounds.",
        "cost": tables.summary_table(results),
        "targets": tables.target_table(results),
        "server": tables.server_table(results),
        "start": tables.time_table(results, "start"),
        "preload": tables.time_table(results, "preload"),
        "entering": tables.entering_table(results),
        "memory": tables.memory_table(results),
        "failures": "\n".join(f"* {what}: {why}" for what, why in results.failures.items())
        or "Everything could be measured.",
    }
    for group in ("allocation", "tasks", "native", "nesting", "pyperformance"):
        found[group] = tables.ratio_table(results, group, NOTHING)
    for group in ("allocation", "tasks", "pyperformance"):
        found[f"{group} to null hook"] = tables.ratio_table(results, group, NULL_HOOK, ours)
    for subject in NAMES["scaling"]:
        found[subject] = "\n\n".join(
            tables.curve_table(results, subject, curve, points)
            for curve, points in tables.curves(results, subject).items()
        )
    return found


def renewed(text: str, found: dict[str, str]) -> str:
    """Return a document with what stands between marks of these names replaced."""

    def filled(mark: re.Match[str]) -> str:
        return f"{mark[1]}{found[mark[2]]}\n{mark[3]}" if mark[2] in found else mark[0]

    return SECTION.sub(filled, text)


def render(results: Results, directory: Path) -> None:
    """Write the document and the plots to a directory; for `docs`, renew the README as well."""
    found = sections(results)
    text = (DOCS / DOCUMENT).read_text(encoding="utf-8")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / DOCUMENT).write_text(renewed(text, found), encoding="utf-8")
    print(f"{directory / DOCUMENT}: tables renewed")
    if directory.resolve() == DOCS:
        text = README.read_text(encoding="utf-8")
        README.write_text(renewed(text, found), encoding="utf-8")
        print(f"{README}: figures renewed")
    try:
        from benchmarks import plots

        for path in plots.draw(results, directory / "benchmarks"):
            print(path)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print("no plots: matplotlib is not installed; pip install -e '.[bench]'")
