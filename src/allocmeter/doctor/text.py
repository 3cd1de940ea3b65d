"""A diagnosis as aligned text, a line for each check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter.units import human_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocmeter.doctor.checks import Check
    from allocmeter.doctor.diagnosis import Diagnosis

_MARKS = {"ok": "ok", "missing": "missing", "failed": "FAILED", "note": "note"}


def render(diagnosis: Diagnosis) -> str:
    """Return the text, without a newline at its end."""
    parts = [
        _section("checks", [_line(check, diagnosis) for check in diagnosis.checks]),
        _table("backend", _backend(diagnosis)),
        _table("versions", diagnosis.versions),
        _table("libraries", diagnosis.libraries),
        _table("environment", diagnosis.environment or {"nothing": "that makes a difference"}),
        _conclusion(diagnosis),
    ]
    return "\n\n".join(parts)


def _line(check: Check, diagnosis: Diagnosis) -> str:
    width = max(len(other.name) for other in diagnosis.checks)
    required = " (required)" if check.name in diagnosis.required else ""
    text = _in_one_line(check.reason) + required
    if check.advice:
        text += f"; {check.advice}"
    return f"{_MARKS[check.state]:<7}  {check.name:<{width}}  {text}"


def _backend(diagnosis: Diagnosis) -> dict[str, str]:
    backend = diagnosis.backend
    domains = {
        f"{name} domain": reason and f"not seen in this process: {reason}"
        for name, reason in backend["domains"].items()
    }
    return {
        "hooks": backend["hook_position"],
        **{name: reason or "seen in this process" for name, reason in domains.items()},
        "finalizers": "told apart" if backend["finalizers_apart"] else "not told apart",
        **_own_facts(backend),
    }


def _own_facts(backend: Mapping[str, Any]) -> dict[str, str]:
    """Return who stands in the place of the hooks, what the core holds, and what went wrong."""
    displacer = {"displaced by": by} if (by := backend["displaced_by"]) else {}
    ledger = backend["ledger_bytes"]
    resident = "an unknown size" if ledger is None else human_bytes(ledger)
    return {
        **displacer,
        "ledger": f"{backend['ledger_entries']:,} blocks in {resident}",
        "scopes": f"{backend['open_scopes']:,} open, {backend['scopes_kept']:,} kept",
        "own memory": f"{human_bytes(backend['own_bytes'])} in Python, "
        f"{human_bytes(backend['own_table_bytes'])} in tables",
        "own checks": f"{failures:,} failed"
        if (failures := backend["assertion_failures"])
        else "all hold",
    }


def _table(title: str, rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return _section(title, [f"{name:<{width}}  {_in_one_line(rows[name])}" for name in rows])


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _conclusion(diagnosis: Diagnosis) -> str:
    if not diagnosis.problems:
        return "everything that is required works"
    names = ", ".join(check.name for check in diagnosis.problems)
    return f"{len(diagnosis.problems)} problem(s): {names}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
