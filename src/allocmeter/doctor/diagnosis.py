"""All checks together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allocmeter.doctor import surroundings
from allocmeter.doctor.capabilities import CAPABILITIES
from allocmeter.doctor.checks import Check
from allocmeter.doctor.explanation import REPORT

if TYPE_CHECKING:
    from collections.abc import Collection

SCHEMA_VERSION = 1
# Without it there are no figures at all.
_ALWAYS_REQUIRED = frozenset({"python"})


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What works here.

    Attributes:
        checks: one for each capability, in the order of `CAPABILITIES`, and notes after them.
        required: the capabilities that must work.
        versions: of everything that figures depend on.
        libraries: where they are, or why there is none.
        environment: variables that are set and make a difference.
        backend: `backend_info()` after the checks.
    """

    checks: tuple[Check, ...]
    required: frozenset[str]
    versions: dict[str, str]
    libraries: dict[str, str]
    environment: dict[str, str]
    backend: dict[str, Any]

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that failed, and required capabilities that are missing."""
        return tuple(
            check
            for check in self.checks
            if check.state == "failed"
            or (check.state == "missing" and check.name in self.required | _ALWAYS_REQUIRED)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, ready for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "ok": not self.problems,
            "required": sorted(self.required),
            "problems": [check.name for check in self.problems],
            "checks": [check.to_dict() for check in self.checks],
            "versions": self.versions,
            "libraries": self.libraries,
            "environment": self.environment,
            "backend": self.backend,
        }


def diagnose(required: Collection[str] = ()) -> Diagnosis:
    """Try everything out. Takes about a second, and starts a process and event loops.

    To be called outside of event loops. Installs the allocator hooks, which stay.

    Args:
        required: capabilities that must work, of `CAPABILITIES`.
    """
    from allocmeter.backend import backend_info

    # First, while nothing of ours has changed the process.
    environment = surroundings.environment()
    checks = [_check(name) for name in CAPABILITIES]
    return Diagnosis(
        checks=(*checks, *surroundings.notes()),
        required=frozenset(required),
        versions=surroundings.versions(),
        libraries=surroundings.libraries(),
        environment=environment,
        backend=backend_info().to_dict(),
    )


def _check(name: str) -> Check:
    from allocmeter.backend import backend_info

    if reason := backend_info().reason:
        return Check(name, "missing", reason if name == "python" else "nothing can be counted here")
    try:
        return _try(name)
    except Exception as error:  # noqa: BLE001 - the others are still worth knowing
        return Check(
            name, "failed", f"the check broke off: {type(error).__name__}: {error}", REPORT
        )


def _try(name: str) -> Check:
    # Here, because they need ctypes, which an interpreter may lack.
    from allocmeter.doctor import finalizers, isolation, preloading, python_domain

    match name:
        case "python":
            return python_domain.check_python()
        case "native":
            return preloading.check_native()
        case "finalizers":
            return finalizers.check_finalizers()
        case _:
            return isolation.check_tasks(name)
