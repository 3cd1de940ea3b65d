"""The self-test of finalizers that the garbage collector runs."""

from __future__ import annotations

import gc
from contextlib import suppress
from contextvars import Context

from allocmeter.doctor.checks import Check
from allocmeter.errors import AllocmeterError

SIZE = 1_000_003  # bytes


def check_finalizers() -> Check:
    """Say whether what finalizers allocate stays out of the scope that triggered a collection."""
    try:
        charged, apart, watching = _collect_in_scope()
    except AllocmeterError as error:
        return Check("finalizers", "missing", str(error))
    if not watching:
        return Check(
            "finalizers",
            "missing",
            "this interpreter does not say which thread collects garbage, so what finalizers "
            "allocate is charged to the task that triggered the collection",
        )
    if charged >= SIZE or apart < SIZE:
        return Check(
            "finalizers",
            "failed",
            f"a finalizer allocated {SIZE:,} bytes; {charged:,} bytes were charged to the scope "
            f"around and {apart:,} to finalizers",
        )
    return Check(
        "finalizers", "ok", f"{apart:,} bytes of a finalizer: none charged to the scope around"
    )


class _Garbage:
    """A cycle that allocates when it is found."""

    def __init__(self, kept: list[bytes]) -> None:
        self._self = self
        self._kept = kept

    def __del__(self) -> None:
        with suppress(MemoryError):
            self._kept.append(bytes(SIZE))


def _collect_in_scope() -> tuple[int, int, bool]:
    """Return the bytes charged to the scope and to finalizers, and whether they can be apart."""
    from allocmeter.backend import backend_info, install
    from allocmeter.scopes import measure

    install()
    gc.collect()  # what other garbage there is
    _Garbage([])
    before, scope, context = backend_info(), measure(), Context()
    context.run(scope.__enter__)
    context.run(gc.collect)
    context.run(scope.__exit__, None, None, None)
    after = backend_info()
    apart = after.finalizer_bytes_allocated - before.finalizer_bytes_allocated
    return scope.stats.bytes_allocated, apart, after.finalizers_apart
