"""Replacing attributes of other people's classes and modules, and putting them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_INHERITED = object()


class Patch:
    """One attribute that is replaced by a function around what it was.

    If somebody else puts something on top of it, that stays: our function is left where it is,
    used again when the patch is applied again, and expected to pass calls on meanwhile.

    Args:
        owner: the class, module or cell.
        name: of the attribute.
        wrap: makes the replacement of what it finds there.
    """

    def __init__(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._owner = owner
        self._name = name
        self._was = self._found()
        self._ours = wrap(getattr(owner, name))

    def is_of(self, owner: Any, name: str) -> bool:
        """Whether this is the attribute."""
        return self._owner is owner and self._name == name

    def apply(self) -> None:
        """Put the replacement in place, unless it is, or somebody has put something on top."""
        if self._found() is self._was:
            setattr(self._owner, self._name, self._ours)

    def undo(self) -> None:
        """Put back what was there, unless somebody has replaced it since."""
        if self._found() is not self._ours:
            return
        if self._was is _INHERITED:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._was)

    def _found(self) -> Any:
        """Return what the owner itself has; a cell has no dictionary, and inherits nothing."""
        if hasattr(self._owner, "__dict__"):
            return vars(self._owner).get(self._name, _INHERITED)
        return getattr(self._owner, self._name)


class Patches:
    """All patches of one integration. The caller sees to it that one thread at a time uses it."""

    def __init__(self) -> None:
        self._patches: list[Patch] = []

    def apply(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        """Replace an attribute by what `wrap` makes of it, or do so again after `undo`."""
        for patch in self._patches:
            if patch.is_of(owner, name):
                break
        else:
            patch = Patch(owner, name, wrap)
            self._patches.append(patch)
        patch.apply()

    def undo(self) -> None:
        """Put back all that is still ours."""
        for patch in self._patches:
            patch.undo()
