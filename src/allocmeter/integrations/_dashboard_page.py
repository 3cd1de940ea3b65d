"""The live page itself: one document that brings its styles and scripts along.

They are allowed by their hashes, and requests to where the page came from are; everything else is
kept out. The page has no figures in it: its script asks for them.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

# The page is to look like a report.
_STYLES: Final = (
    ("allocmeter.renderers", "report.css"),
    ("allocmeter.integrations", "_dashboard.css"),
)
_SCRIPTS: Final = (
    ("allocmeter.integrations", "_dashboard_plots.js"),
    ("allocmeter.integrations", "_dashboard_table.js"),
    ("allocmeter.integrations", "_dashboard.js"),
)


class Page(NamedTuple):
    """The document in ASCII, and the policy that it is to be sent with."""

    body: bytes
    policy: bytes


@cache
def page() -> Page:
    """Return the page; it is the same for everybody."""
    style, script = _joined(_STYLES), _joined(_SCRIPTS)
    document = _resource("allocmeter.integrations", "_dashboard.html")
    document = document.replace("/* style */", style).replace("/* script */", script)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return Page(document.encode("ascii"), policy.encode("ascii"))


def _joined(resources: tuple[tuple[str, str], ...]) -> str:
    return "".join(_resource(package, name) for package, name in resources)


def _resource(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
