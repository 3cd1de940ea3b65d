"""Taking one mitigation away: edits of files below the root of the project."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """One mitigation taken away.

    Attributes:
        tests: those that must fail then, as `pytest -k` reads it.
        what: was taken away.
        edits: a file, a text that stands in it once, and what takes its place.
        since: the interpreter from which on there is such a mitigation.
    """

    tests: str
    what: str
    edits: tuple[tuple[str, str, str], ...]
    since: tuple[int, int] = (3, 11)


def one(tests, what, *edit):
    """A mutation of a single edit."""
    return Mutation(tests, what, (edit,))
