"""Scopes for what a server serves, which never stand in its way."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.figures import current_scope
from allocmeter._core.own import OWN
from allocmeter.integrations._switch import Switch
from allocmeter.scopes import detached, measure

if TYPE_CHECKING:
    from types import TracebackType

    from allocmeter.registry import Registry


def open_scope(name: str, registry: Registry | None, *, nested: bool) -> measure:
    """Open a scope, and leave it to the caller to make it current and to close it.

    Args:
        name: of the scope.
        registry: where it is aggregated; `None`: in the registry of the process.
        nested: whether it lies within the current scope, or within none.
    """
    scope = measure(name, registry=registry)
    if nested or current_scope() is None:
        scope._open()
    else:
        with detached():
            scope._open()
    return scope


class ServedScopes:
    """Opens a scope for each connection or request of a server.

    After a failure of ours it opens no more, and says so once. A server runs what it serves in the
    context that it was started in, and goes on when the scope that was current there has long
    ended. So these scopes lie within that one only if they are asked to.

    Args:
        what: the things that are served, in the plural, for the log.
        registry: where the scopes are aggregated; by default the registry of the process.
        nested: whether the scopes lie within the one that is current where they are opened.
    """

    __slots__ = ("_nested", "_registry", "_switch")

    def __init__(self, what: str, *, registry: Registry | None, nested: bool) -> None:
        self._registry = registry
        self._nested = nested
        self._switch = Switch(
            f"giving {what} a scope each failed: from here on they are not measured. "
            "Nothing that is served is affected, and figures of scopes that were finished are "
            "kept. Correct what the error is about, or report it if it is none of yours"
        )

    def open(self, name: str) -> measure | NoScope:
        """Open a scope, and leave it to the caller to make it current and to close it."""
        if not self._switch.on:
            return NO_SCOPE
        with OWN:
            try:
                return open_scope(name, self._registry, nested=self._nested)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self.give_up()
                return NO_SCOPE

    def scope(self, name: str) -> ServedScope:
        """Open a scope for a `with` block."""
        with OWN:
            return ServedScope(self.open(name))

    def count_failure(self, name: str) -> None:
        """Count what could not be served, and so allocated nothing."""
        self.open(name)._close(_unserved)

    def give_up(self) -> None:
        """After a failure of ours, open no more scopes and say so.

        Call it while the exception is handled.
        """
        self._switch.give_up()


class ServedScope:
    """What `ServedScopes.scope` returns: current in the block, and closed at its end."""

    __slots__ = ("_scope",)

    def __init__(self, scope: measure | NoScope) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._scope._resume()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope._suspend()
        self._scope._close(exc)


class NoScope:
    """In place of a scope where nothing is measured."""

    __slots__ = ()

    def _resume(self) -> None:
        pass

    def _suspend(self) -> None:
        pass

    def _close(self, error: BaseException | None, /) -> None:
        pass


NO_SCOPE = NoScope()
_unserved = LookupError()
