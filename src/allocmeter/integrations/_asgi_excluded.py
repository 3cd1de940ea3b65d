"""Which requests are not to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter.integrations._asgi_starlette import below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allocmeter.integrations._asgi_types import Scope


def excluding(
    exclude: Iterable[str] | Callable[[Scope], bool],
) -> Callable[[Scope], bool] | None:
    """Return what says of an ASGI scope whether it is excluded; `None`: none is.

    Args:
        exclude: paths, each with all that is below it, or the answer itself.

    Raises:
        TypeError: a single string, which would be taken for a list of letters.
    """
    if callable(exclude):
        return exclude
    if isinstance(exclude, str):
        raise TypeError(f"exclude is a collection of paths, not a single one: ({exclude!r},)")
    given = tuple(exclude)
    if not given:
        return None
    exact = frozenset(path.rstrip("/") or "/" for path in given)
    prefixes = tuple(path + "/" for path in exact if path != "/")

    def is_excluded(scope: Scope) -> bool:
        path = scope.get("path")
        if path is None:  # the lifespan has none
            return False
        path = below(path, scope.get("root_path", "")) or "/"
        return path in exact or path.startswith(prefixes)

    return is_excluded
