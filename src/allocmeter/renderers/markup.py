"""Text and figures as HTML, with nothing in them that a browser would take for markup."""

from __future__ import annotations

from html import escape

from allocmeter.renderers.printable import printable
from allocmeter.units import human_bytes


def safe(text: str, width: int) -> str:
    """Return text for an element or a quoted attribute, in at most `width` columns.

    Besides what HTML escapes, what could reorder or hide the text around it is shown as Python
    escapes it.
    """
    return escape(printable(text, width))


def exact(value: float) -> str:
    """Return a figure with all its digits, or to one decimal if it is an estimate between two."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def with_exact(size: float) -> str:
    """Return a size in a fitting unit, and the exact one for those who point at it."""
    return f'<span title="{exact(size)} bytes">{human_bytes(size)}</span>'


def json_block(identifier: str, value: object) -> str:
    """Return a value as JSON that scripts of the page can read and that is never executed.

    No character in it can end the block, and none outside ASCII is left, some of which end a line
    in JavaScript.
    """
    import json

    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="{identifier}">{text}</script>'
