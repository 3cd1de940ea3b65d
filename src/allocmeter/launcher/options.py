"""What `allocmeter run` was asked for, apart from the program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure a program and what to do with the report.

    Attributes:
        native: whether to see the malloc family; `None`: wherever that is possible at all.
        output: path of the JSON report, absolute, with `%p` for the process id; `None`: no file.
        quiet: print no report.
        per_task: give every task a scope of its own.
        top: rows of the printed table.
        sort: the figure that orders them.
        timeline: sample live memory while the program runs.
    """

    native: bool | None = None
    output: str | None = None
    quiet: bool = False
    per_task: bool = True
    top: int = 20
    sort: str = "bytes"
    timeline: bool = False
