"""What was measured: one sample for each run, kept as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION: Final = 1


class Sample(NamedTuple):
    """One run.

    Attributes:
        subject: name of what ran.
        condition: key of the condition that it ran under.
        round: runs of one round stood beside each other and are compared with each other.
        figures: by name; seconds, bytes or requests per second.
    """

    subject: str
    condition: str
    round: int
    figures: dict[str, float]


class Results:
    """Samples, and the machine that they are from.

    Attributes:
        machine: facts by name.
        samples: in the order in which they were measured.
        failures: why something could not be measured, by "SUBJECT, CONDITION".
    """

    def __init__(self, machine: dict[str, str]) -> None:
        self.machine = machine
        self.samples: list[Sample] = []
        self.failures: dict[str, str] = {}

    def by_round(self, subject: str, condition: str, figure: str) -> dict[int, float]:
        """Return a figure of every run of a subject under a condition."""
        return {
            sample.round: sample.figures[figure]
            for sample in self.samples
            if (sample.subject, sample.condition) == (subject, condition)
            and figure in sample.figures
        }

    def figures(self, subject: str) -> list[str]:
        """Return the names of all figures of a subject, in the order of their first occurrence."""
        names = (
            name for sample in self.samples if sample.subject == subject for name in sample.figures
        )
        return list(dict.fromkeys(names))

    @property
    def rounds(self) -> int:
        """How many rounds were begun."""
        return max((sample.round for sample in self.samples), default=-1) + 1

    def save(self, path: Path) -> None:
        """Write everything; an interruption leaves the former file or the new one."""
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "machine": self.machine,
            "failures": self.failures,
            "samples": [sample._asdict() for sample in self.samples],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(".part")
        # A line for each sample: files of two runs can be compared by eye.
        text = json.dumps(document).replace('{"subject"', '\n{"subject"')
        written.write_text(text + "\n", encoding="utf-8")
        written.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: it is of another version.
        """
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"{path} is not of version {SCHEMA_VERSION}: measure anew")
        results = cls(document["machine"])
        results.failures = document["failures"]
        results.samples = [Sample(**sample) for sample in document["samples"]]
        return results
