"""Text from anywhere, such as names of scopes, made safe to show."""

from __future__ import annotations

_ELLIPSIS = "…"


def printable(text: str, width: int) -> str:
    """Return text in at most `width` columns of a terminal, safe to print.

    Control characters, escape sequences, line ends, invisible and direction-changing
    characters and lone surrogates are escaped as Python writes them; what is too long ends
    in an ellipsis.
    """
    pieces = [
        character if character.isprintable() else character.encode("unicode_escape").decode()
        # What is cut off anyway is not looked at: a name may be of any length.
        for character in text[: width + 1]
    ]
    taken = sum(map(columns, pieces))
    if taken <= width:
        return "".join(pieces)
    while taken >= width:
        taken -= columns(pieces.pop())
    return "".join(pieces) + _ELLIPSIS


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes that `printable` gave."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
