"""Which requests are not to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RequestT = TypeVar("RequestT")


def excluding(
    exclude: Iterable[str] | Callable[[RequestT], bool],
    path_of: Callable[[RequestT], str | None],
) -> Callable[[RequestT], bool] | None:
    """Return what says of a request whether it is excluded; `None`: none is.

    Args:
        exclude: paths, each with all that is below it, or the answer itself. `/` is the one page.
        path_of: returns the path of a request, or `None` if it has none.

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

    def is_excluded(request: RequestT) -> bool:
        path = path_of(request)
        return path is not None and (path in exact or path.startswith(prefixes))

    return is_excluded
