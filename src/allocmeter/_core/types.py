"""The native types, or, where the library cannot be used, stand-ins that say why when used.

Importing the package must never fail, so what is wrong with the library is kept here until
somebody asks for a figure. What the types look like is in `types.pyi`.
"""

from __future__ import annotations

from allocmeter.errors import BackendUnavailableError

_failure: BackendUnavailableError | None = None
_loaded = None

try:
    from allocmeter._core import library

    _loaded = library.load()
except ImportError as error:
    _failure = BackendUnavailableError(
        f"the native library is loaded with ctypes, which this interpreter lacks ({error}); "
        "use one that was built with libffi."
    )
except BackendUnavailableError as error:
    _failure = error


def native():
    """Return the loaded library.

    Raises:
        BackendUnavailableError: it could not be loaded; the text says why.
    """
    if _loaded is None:
        raise BackendUnavailableError(str(_failure)) from _failure
    return _loaded


class _Unavailable:
    """In place of a native type: using it says what is wrong."""

    def __new__(cls, *_args, **_kwargs):
        raise BackendUnavailableError(str(_failure)) from _failure


if _loaded is None:
    NativeScope = NativeAnchor = NativeExchange = _Unavailable
    NativeEntrance = NativeRouteNames = NativeRegistry = _Unavailable
else:
    NativeScope = _loaded.am_scope_class()
    NativeAnchor = _loaded.am_anchor_class()
    NativeExchange = _loaded.am_exchange_class()
    NativeEntrance = _loaded.am_entrance_class()
    NativeRouteNames = _loaded.am_route_names_class()
    NativeRegistry = _loaded.am_registry_class()
