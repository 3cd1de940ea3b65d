"""Scopes: what `measure()` opens and what `detached()` steps out of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import allocmeter.registry  # noqa: F401 - connects the core to what its scopes call
from allocmeter._core.figures import FINAL, NOW, read_scope, read_scope_native
from allocmeter._core.own import OWN
from allocmeter._core.types import NativeAnchor, NativeScope

if TYPE_CHECKING:
    from allocmeter._core.structures import Figures
    from allocmeter.stats import AllocationStats


class measure(NativeScope):  # noqa: N801 - reads as a verb in `async with measure()`
    """A scope: everything allocated inside is charged to it, block by block.

    Use it with `with` or `async with`, on any event loop. The scope follows the logical flow:
    across awaits, into tasks started inside and into `asyncio.to_thread` and `anyio.to_thread`
    workers. Numbers include nested scopes and child tasks. A block belongs to the scope that
    allocated it, whoever frees it and whenever. An empty scope reports exactly 0.

    One object is one scope: entering it a second time raises `RuntimeError`. The first scope of a
    process installs the allocator hooks, as `install()` would, and raises
    `BackendUnavailableError` if that is impossible. Reading figures is safe from any task and
    thread. A scope that an exception or a cancellation leaves keeps its figures.

    Entering and leaving are done in C (`_native/scope.h`), so that nothing of them falls inside.

    Args:
        name: what the figures are aggregated under in `report()`; unnamed scopes are not.
        registry: where they are aggregated; by default the registry of the process.
    """

    __slots__ = ()

    @property
    def stats(self) -> AllocationStats:
        """What the scope and everything nested in it did; final once it is closed."""
        with OWN:
            return _stats(read_scope(self, FINAL))

    @property
    def self_stats(self) -> AllocationStats:
        """The same without nested scopes (child tasks that opened none are included)."""
        with OWN:
            return _stats(read_scope(self, FINAL, exclusive=True))

    @property
    def peak_bytes(self) -> int:
        """The exact high-water mark of live bytes; final once the scope is closed."""
        with OWN:
            return read_scope(self, FINAL).peak_bytes

    @property
    def peak_allocations(self) -> int:
        """The exact high-water mark of live blocks; final once the scope is closed."""
        with OWN:
            return read_scope(self, FINAL).peak_allocations

    @property
    def retained_bytes(self) -> int:
        """Bytes the scope allocated that are alive now, also after it was closed."""
        with OWN:
            figures = read_scope(self, NOW)
            return figures.bytes_allocated - figures.bytes_deallocated

    @property
    def retained_allocations(self) -> int:
        """Blocks the scope allocated that are alive now, also after it was closed."""
        with OWN:
            figures = read_scope(self, NOW)
            return figures.allocations - figures.deallocations

    @property
    def late_stats(self) -> AllocationStats:
        """What happened to the scope after it was closed.

        Work that inherited the scope and outlives it allocates here, and blocks that the scope
        left behind are freed here. All zero while the scope is open.
        """
        with OWN:
            final = _stats(read_scope(self, FINAL))
            return _stats(read_scope(self, NOW)) - final

    def by_domain(self) -> dict[str, AllocationStats | None]:
        """Return `stats` for each allocator domain; `None` for one that cannot be seen.

        `"python"` is what went through the interpreter's allocators, `"native"` what extension
        modules asked of `malloc` themselves, which is seen in programs started with `allocmeter
        run`. The two add up to `stats`.
        """
        with OWN:
            figures = read_scope_native(self)
            if figures is None:
                return {"python": self.stats, "native": None}
            native = _stats(figures)
            return {"python": self.stats - native, "native": native}

    def __repr__(self) -> str:
        with OWN:
            state = "open" if self.is_open else "closed" if self.is_closed else "not entered"
            return f"<measure {self.name!r} {state}>"


def _stats(figures: Figures) -> AllocationStats:
    # Dataclasses take long to import, so `import allocmeter` does without; `install` brings them.
    from allocmeter.stats import AllocationStats

    return AllocationStats.from_figures(figures)


class detached(NativeAnchor):  # noqa: N801 - reads as an adjective in `with detached()`
    """Step out of every scope: what starts inside belongs to the process alone.

    For a background task that is started in a request and should not count as its work:
    `with detached(): tasks.start_soon(refresh_cache)`. What the block itself allocates is outside
    every scope too. The scope around goes on after the block. One object is for one block:
    entering it a second time raises `RuntimeError`.
    """

    __slots__ = ()
