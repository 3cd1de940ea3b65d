"""How the backend stands, as a value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

HookPosition = Literal["not installed", "on top", "wrapped", "removed"]


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """How the backend stands.

    Attributes:
        available: whether the native library is loaded and counts.
        reason: why not, if it does not; otherwise empty.
        hook_position: `"on top"` and `"wrapped"` (another tool's hook passes calls on to ours,
            and what that tool allocates for itself counts too) see every block; `"removed"`
            means that another tool took ours away.
        domains: for each domain of allocators, an empty text if it is seen, or why it is not.
        library: path of the native library, `None` if there is none.
        abi_version: of the contract between library and package.
        gaps: how often blocks may have gone by unseen: hooks removed, or no room to note a block.
        open_scopes: scopes entered and not left.
        scopes_kept: scopes that are open, or closed with memory still alive: the nodes alive in
            the core's tree.
        unmeasured_scopes: scopes without figures: the table was full, or they were nested too deep.
        own_bytes: bytes the library holds for itself on the Python heap.
        own_table_bytes: bytes of the core's tables in use, on top of that; without the ledger.
        finalizers_apart: whether what finalizers allocate while the garbage collector runs is told
            from what the task does that triggered it.
        finalizer_bytes_allocated: bytes they have allocated.
        displaced_by: what the interpreter calls first in place of our hooks: `"tracemalloc"`, or
            the path of the program or library that has that code; `None` if ours are on top, or
            are not installed.
        displacements: how often the hooks were found to be removed by another tool.
        ledger_entries: blocks alive that somebody owns, and that the ledger therefore knows.
        ledger_bytes: bytes of the ledger that are resident: on top of `own_bytes` and
            `own_table_bytes`; `None` where the system does not say.
        ledger_reserved_bytes: bytes of address space that are reserved for the ledger.
        assertion_failures: how often an internal check has failed. From the first one on nothing is
            counted any more, and `reason` says which it was; `scopes_kept` and the bytes of the
            library are those of that moment.
    """

    available: bool
    reason: str
    hook_position: HookPosition
    domains: dict[str, str]
    library: str | None
    abi_version: int
    gaps: int
    open_scopes: int
    scopes_kept: int
    unmeasured_scopes: int
    own_bytes: int
    own_table_bytes: int
    finalizers_apart: bool
    finalizer_bytes_allocated: int
    displaced_by: str | None = None
    displacements: int = 0
    ledger_entries: int = 0
    ledger_bytes: int | None = None
    ledger_reserved_bytes: int = 0
    assertion_failures: int = 0

    @classmethod
    def missing(cls, reason: str) -> BackendInfo:
        """Return how it stands where the native library cannot be used."""
        why_not = {"python": reason, "native": reason}
        return cls(False, reason, "not installed", why_not, None, 0, 0, 0, 0, 0, 0, 0, False, 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, ready for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
