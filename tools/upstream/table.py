"""Saying what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comparison import Compared


def progress(compared: Compared) -> str:
    """Return a line on one comparison that is done."""
    run = compared.run
    title = f"{run.interpreter.version} {run.part.name} {run.way}"
    said = ", ".join(
        f"{difference.test}: {difference.verdict}" for difference in compared.differences
    )
    return f"{title}: {count(compared.without)}, {count(compared.measured)} {said}".rstrip()


def render(compared: Sequence[Compared]) -> str:
    """Return a table of test modules and interpreters, and below it every difference."""
    columns = list(dict.fromkeys(_column(each) for each in compared))
    rows = list(dict.fromkeys(each.run.part.name for each in compared))
    cells = {(each.run.part.name, _column(each)): _cell(each) for each in compared}
    lines = [
        ["passed/failed/skipped without us and with us", *columns],
        *([row, *(cells.get((row, column), "-") for column in columns)] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    text = [" | ".join(map(str.ljust, line, widths)).join(("| ", " |")) for line in lines]
    return "\n".join([*text, "", *_notes(compared)])


def _column(compared: Compared) -> str:
    return f"{compared.run.interpreter.version} {compared.run.way}"


def _cell(compared: Compared) -> str:
    without, measured = count(compared.without), count(compared.measured)
    return f"{without} = {measured}" if without == measured else f"{without} ≠ {measured}"


def _notes(compared: Sequence[Compared]) -> list[str]:
    notes = []
    for each in compared:
        where = f"{_column(each)} {each.run.part.name}"
        if not each.allocations:
            notes.append(f"NOT MEASURED  {where}: no allocation was recorded")
        notes += [
            f"{difference.verdict.upper():8}  {where} {difference.test}: {difference.outcome}"
            f" {difference.reason}".rstrip()
            for difference in each.differences
        ]
    caused = sum(each.failed for each in compared)
    total = sum(each.allocations for each in compared)
    notes.append(f"{caused} runs differ by our doing; {total:,} allocations were recorded in all")
    return notes
