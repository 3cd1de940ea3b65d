"""The allocator hooks: putting them in place, taking them away, and saying how they stand."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from allocmeter._core import collector, figures, preload, types
from allocmeter._core.callbacks import classify
from allocmeter._core.own import OWN
from allocmeter.errors import BackendUnavailableError, HookError

if TYPE_CHECKING:
    from allocmeter.backend_state import BackendInfo, HookPosition

_POSITIONS: tuple[HookPosition, ...] = ("not installed", "on top", "wrapped", "removed")
_NEW, _NOT_ON_TOP, _SCOPES_OPEN = 1, -1, -2


def install(backend: str = "native") -> None:
    """Put the allocator hooks in place. The first scope does this by itself.

    They stay for the life of the process and cost next to nothing while no scope is open. Calling
    it again changes nothing. A tool that hooks the allocators too (tracemalloc, memray) should be
    started first. Safe from any thread.

    Args:
        backend: which counters to use; `"native"` is the only one.

    Raises:
        BackendUnavailableError: unknown backend, or the native library cannot be used.
        HookError: the hooks were installed over too many different allocators.
    """
    with OWN:
        if backend != "native":
            raise BackendUnavailableError(
                f"unknown backend {backend!r}; the one there is is called 'native'"
            )
        result = types.native().am_install()
        if result == _NEW:
            collector.watch()
            # Loaded before the first scope: what a module keeps may come from the interpreter's
            # free lists, where blocks of scopes wait, and those would look retained.
            import allocmeter._core.structures
            import allocmeter.registry
            import allocmeter.stats  # noqa: F401
        if result < 0:
            raise HookError(
                "the allocator hooks were installed over too many different allocators in one "
                "process; leave the hooks, or the other tool, in place instead of cycling them"
            )


def uninstall() -> None:
    """Take the allocator hooks away again.

    Figures that were final stay readable; what closed scopes retain is unknown afterwards. Not
    needed at exit.

    Raises:
        BackendUnavailableError: the native library cannot be used.
        HookError: scopes are open, or another tool has hooked the allocators since and would be
            broken. Nothing is changed then.
    """
    with OWN:
        result = types.native().am_uninstall()
        if result == _SCOPES_OPEN:
            raise HookError(
                f"{figures.read_core().open_scopes} scope(s) are open and would lose their "
                "figures; leave them before uninstall(). The hooks are still in place"
            )
        if result == _NOT_ON_TOP:
            raise HookError(
                "another tool has hooked the allocators on top of this library, and removing the "
                "hook below it would break it; stop that tool first. The hooks are still in place"
            )
        collector.unwatch()


def is_installed() -> bool:
    """Whether the hooks are in place and reached by the interpreter's allocations."""
    with OWN:
        return backend_info().hook_position in ("on top", "wrapped")


def backend_info() -> BackendInfo:
    """Return how the backend stands. Never raises: what is wrong is in the answer."""
    with OWN:
        from allocmeter.backend_state import BackendInfo

        try:
            native = types.native()
        except BackendUnavailableError as error:
            return BackendInfo.missing(str(error))
        if broken := figures.why_broken():
            report_broken_core()
        position = _POSITIONS[native.am_position()]
        core, own = figures.read_core(), figures.read_own()
        removed = "another tool removed the allocator hooks; the next scope installs them again"
        resident = core.ledger_resident_bytes
        return BackendInfo(
            available=not broken,
            reason=broken,
            hook_position=position,
            domains={
                "python": removed if position == "removed" else "",
                "native": preload.why_not_seen(),
            },
            library=native._name,  # noqa: SLF001 - the one place that has it
            abi_version=native.am_abi_version(),
            gaps=core.gaps,
            open_scopes=core.open_scopes,
            scopes_kept=core.nodes_in_use,
            unmeasured_scopes=core.unmeasured_scopes,
            own_bytes=own.bytes_allocated - own.bytes_deallocated,
            own_table_bytes=core.node_table_bytes + core.histogram_bytes,
            finalizers_apart=collector.is_watching(),
            finalizer_bytes_allocated=figures.read_collector().bytes_allocated,
            displaced_by=_displacer(),
            displacements=core.hook_losses,
            ledger_entries=core.ledger_entries,
            ledger_bytes=resident if resident >= 0 else None,
            ledger_reserved_bytes=core.ledger_reserved_bytes,
            assertion_failures=core.assertion_failures,
        )


def _displacer() -> str | None:
    """Return what is called in place of the hooks, `None` if nothing is.

    tracemalloc is part of the interpreter, whose file says little.
    """
    import sys

    file: str | None = types.native().am_displacer()
    tracer = sys.modules.get("tracemalloc")
    return "tracemalloc" if file is not None and tracer and tracer.is_tracing() else file


@cache
def report_lost_hooks() -> None:
    """Log, once per process, that another tool removed the hooks. Called by the core."""
    import logging

    logging.getLogger("allocmeter").warning(
        "another tool removed the allocator hooks (tracemalloc.stop() does, if it was started "
        "first): scopes that were open have no figures; the next one installs the hooks again. "
        "Further removals are counted in backend_info().gaps"
    )


@cache
def report_broken_core() -> None:
    """Log, once per process, that counting is switched off. Called by the core."""
    import logging

    logging.getLogger("allocmeter").error("%s", figures.why_broken())


def connect(registry: types.NativeRegistry) -> None:
    """Give the core what it calls back, and the registry of scopes that name none."""
    types.native().am_bind(install, report_lost_hooks, report_broken_core, classify, registry)
