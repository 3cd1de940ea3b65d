"""What a run said about each of its tests, read from the JUnit XML that it wrote."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from pathlib import Path

PASSED, SKIPPED, FAILED, MISSING = "passed", "skipped", "failed", "missing"
_WORST_LAST = (PASSED, SKIPPED, FAILED)

# The process itself, for what no test case tells: a crash, a time-out, a bad exit status.
PROCESS = "(process)"

# " (i=3)" and " [message]" of unittest's subtests, which have no name that a run could select.
_SUBTEST = re.compile(r" [(\[].*", re.DOTALL)


def read(report: Path, status: int | None) -> dict[str, str]:
    """Return the outcome of each test by its name.

    Args:
        report: the file that the run should have written.
        status: its exit status, `None` if it had to be ended.
    """
    outcomes: dict[str, str] = {}
    for case in _cases(report):
        name, outcome = _name(case), _outcome(case)
        before = outcomes.get(name, PASSED)
        outcomes[name] = max(before, outcome, key=_WORST_LAST.index)
    if status != 0 and FAILED not in outcomes.values():
        outcomes[PROCESS] = FAILED
    return outcomes


def property_sum(report: Path, name: str) -> int:
    """Return the sum of one numeric property over all tests of a report."""
    return sum(
        int(found.get("value", 0))
        for case in _cases(report)
        for found in case.iter("property")
        if found.get("name") == name
    )


def count(outcomes: dict[str, str]) -> str:
    """Return how many passed, failed and were skipped: `412/0/7`."""
    counts = Counter(outcomes.values())
    return "/".join(str(counts[outcome]) for outcome in (PASSED, FAILED, SKIPPED))


def _cases(report: Path) -> list[ET.Element]:
    try:
        return list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314 - it is our own
    except (OSError, ET.ParseError):
        return []  # it came to no end


def _name(case: ET.Element) -> str:
    name, file = case.get("name", ""), case.get("file")
    if file is None:  # regrtest
        return name if name.startswith(("setUp", "tearDown")) else _SUBTEST.sub("", name)
    # Of an installed package the path tells the environment, and the class its module as well.
    file = file.rpartition("/site-packages/")[2]
    stem = file.rpartition("/")[2].removesuffix(".py")
    classes = case.get("classname", "").split(".")
    inside = classes[classes.index(stem) + 1 :] if stem in classes else []
    return "::".join((file, *inside, name))


def _outcome(case: ET.Element) -> str:
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return FAILED
    return SKIPPED if "skipped" in tags else PASSED
