"""The answer of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "missing", "failed", "note"]


class SelfTestError(Exception):
    """Blocks of known size were allocated and the figures say something else."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found out.

    Attributes:
        name: a capability, or what else was looked at.
        state: `"ok"`; `"missing"`: cannot be had here; `"failed"`: it is there, or was asked for,
            and its figures are wrong or were never taken; `"note"`: worth knowing, never an error.
        reason: what was found, as the beginning of a sentence without a full stop.
        advice: what to do next, likewise; empty if there is nothing to do.
    """

    name: str
    state: State
    reason: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, ready for JSON."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "advice": self.advice,
        }
