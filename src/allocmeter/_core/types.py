"""The native types, or, where the library cannot be used, stand-ins that say why when used.

Importing the package must never fail, so what is wrong with the library is kept here until
somebody asks for a figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core import library as _library
from allocmeter.errors import BackendUnavailableError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Awaitable
    from types import TracebackType
    from typing import Self

    class NativeScope:
        """What `measure` is derived from (`_native/scope.h`)."""

        def __init__(
            self, name: str | None = None, *, registry: NativeRegistry | None = None
        ) -> None: ...
        @property
        def name(self) -> str | None:
            """The name its figures are aggregated under; `None`: they are not."""

        @property
        def is_open(self) -> bool:
            """Whether the scope was entered and not left yet."""

        @property
        def is_closed(self) -> bool:
            """Whether the scope was left: its figures are final."""

        def __enter__(self) -> Self: ...
        def __exit__(
            self,
            exc_type: type[BaseException] | None,
            exc: BaseException | None,
            traceback: TracebackType | None,
            /,
        ) -> None: ...
        def __aenter__(self) -> Awaitable[Self]: ...
        def __aexit__(
            self,
            exc_type: type[BaseException] | None,
            exc: BaseException | None,
            traceback: TracebackType | None,
            /,
        ) -> Awaitable[None]: ...
        def _open(self) -> None: ...
        def _resume(self) -> None: ...
        def _suspend(self) -> None: ...
        def _close(self, exc_type: type[BaseException] | None, /) -> None: ...

    class NativeAnchor:
        """What `detached` is derived from (`_native/anchor.c`)."""

        def __enter__(self) -> Self: ...
        def __exit__(self, *exc: object) -> None: ...

    class NativeRegistry:
        """What `Registry` is derived from (`_native/registry.h`)."""

        def __init__(self, max_names: int = 1000) -> None: ...
        @property
        def max_names(self) -> int:
            """How many distinct names are kept apart."""

        @property
        def _aggregates(self) -> dict[str, Any]: ...

    class Guard:
        """An own section around a `with` block (`_native/ownership.h`)."""

        def __enter__(self) -> Self: ...
        def __exit__(self, *exc: object) -> None: ...


_failure: BackendUnavailableError | None = None
_loaded: ctypes.PyDLL | None = None

try:
    _loaded = _library.load()
except BackendUnavailableError as error:
    _failure = error


def native() -> ctypes.PyDLL:
    """Return the loaded library.

    Raises:
        BackendUnavailableError: it could not be loaded; the text says why.
    """
    if _loaded is None:
        raise BackendUnavailableError(str(_failure)) from _failure
    return _loaded


class Unavailable:
    """In place of a native type: using it says what is wrong."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Self:
        raise BackendUnavailableError(str(_failure)) from _failure


if not TYPE_CHECKING:
    if _loaded is None:
        NativeScope = NativeAnchor = NativeRegistry = Unavailable
    else:
        NativeScope = _loaded.am_scope_class()
        NativeAnchor = _loaded.am_anchor_class()
        NativeRegistry = _loaded.am_registry_class()
