"""The document of the live page, without a browser: it brings along all that it needs."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import allocmeter.integrations
from allocmeter.integrations._dashboard_page import page
from html_pages import page_of

BODY = page().body.decode("ascii")
POLICY = dict(part.split(" ", 1) for part in page().policy.decode("ascii").split("; "))


def digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_only_its_own_style_and_script_are_allowed():
    found = page_of(BODY.removeprefix("<!DOCTYPE html>"))
    (style,), (script,) = found.all("style"), found.all("script")
    expected = {
        "default-src": "'none'",
        "style-src": digest(style.text),
        "script-src": digest(script.text),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert expected == POLICY


def test_it_leads_nowhere():
    found = page_of(BODY.removeprefix("<!DOCTYPE html>"))
    addresses = [
        value
        for element in found.descendants()
        for name, value in element.attributes.items()
        if name in {"href", "src", "action", "srcset", "data", "poster"}
    ]
    assert addresses == ["data:,"]
    known = "http://www.w3.org/2000/svg"
    assert set(re.findall(r"https?:[^\s\"'`]*", BODY)) == {known}
    assert not re.search(r"url\(|@import|//# sourceMapping", BODY)


def test_no_text_becomes_markup():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", BODY)
    found = page_of(BODY.removeprefix("<!DOCTYPE html>"))
    for element in found.descendants():
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]


def test_every_part_of_it_is_used():
    folder = Path(allocmeter.integrations.__file__).parent
    assets = [path for path in folder.iterdir() if path.suffix in {".css", ".js"}]
    assert len(assets) == 4
    for path in assets:
        assert path.read_text(encoding="ascii").strip() in BODY
    assert "/* style */" not in BODY
    assert "/* script */" not in BODY
    assert not re.search(r"\bTODO\b|console\.", BODY)


def test_every_control_has_a_name():
    found = page_of(BODY.removeprefix("<!DOCTYPE html>"))
    labelled = {label.attributes["for"] for label in found.all("label")}
    for field in found.all("input"):
        assert field.attributes["id"] in labelled
    for button in found.all("button"):
        assert button.attributes.get("aria-label") or button.all_text().strip()
