"""Finding, loading and checking the native library.

The contract of every function declared here stands in `_native/allocmeter.h`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_uint32, c_void_p, py_object
from importlib.machinery import EXTENSION_SUFFIXES

from allocmeter import _native
from allocmeter.errors import BackendUnavailableError

ABI_VERSION = 7
STEM = "liballocmeter"
# Where a library other than the installed one is to be loaded from: for builds under test.
PATH_VARIABLE = "ALLOCMETER_LIBRARY"

_REBUILD = "Reinstall the package for this interpreter: python -m pip install --force-reinstall ."


def find() -> str:
    """Return the path of the library that was built for this interpreter.

    Raises:
        BackendUnavailableError: there is none.
    """
    chosen = os.environ.get(PATH_VARIABLE)
    if chosen is not None:
        if os.path.isfile(chosen):  # noqa: PTH113 - pathlib would double the time to import
            return chosen
        raise BackendUnavailableError(
            f"{PATH_VARIABLE} names {chosen!r}, where there is no file; correct or unset it."
        )
    return find_built(STEM)


def find_built(stem: str) -> str:
    """Return the path of a library of this name that was built for this interpreter.

    Raises:
        BackendUnavailableError: there is none.
    """
    for directory in _native.__path__:
        for suffix in EXTENSION_SUFFIXES:
            path = os.path.join(directory, stem + suffix)  # noqa: PTH118
            if os.path.isfile(path):  # noqa: PTH113
                return path
    raise BackendUnavailableError(
        f"the native library {stem}{EXTENSION_SUFFIXES[0]} is missing from this installation. "
        + _REBUILD
    )


def check_interpreter() -> None:
    """Refuse interpreters on which the core cannot count exactly.

    Raises:
        BackendUnavailableError: not CPython, or a free-threaded build.
    """
    if sys.implementation.name != "cpython":
        raise BackendUnavailableError(
            f"allocations are counted through CPython's allocator hooks, which "
            f"{sys.implementation.name} does not have; run the program on CPython 3.11 or newer."
        )
    if "t" in sys.abiflags:
        raise BackendUnavailableError(
            "free-threaded builds of CPython are not supported yet: without the interpreter lock "
            "the counters would not be exact; run the program on a build with the lock."
        )


def load() -> ctypes.PyDLL:
    """Load the library, check that it fits, and initialise it.

    Returns:
        The library with every function declared. Nothing is installed in the interpreter.

    Raises:
        BackendUnavailableError: missing, damaged, foreign, or built for another interpreter or
            another version of this package.
    """
    check_interpreter()
    path = find()
    try:
        library = ctypes.PyDLL(path)
    except OSError as error:
        raise BackendUnavailableError(
            f"the native library {path} cannot be loaded: {error}. {_REBUILD}"
        ) from error
    _shake_hands(library, path)
    try:
        _declare(library)
        library.am_init()
    except (AttributeError, MemoryError, RuntimeError) as error:
        raise BackendUnavailableError(
            f"the native library {path} cannot start: {error}. {_REBUILD}"
        ) from error
    return library


def _shake_hands(library: ctypes.PyDLL, path: str) -> None:
    try:
        abi_version, python_version = library.am_abi_version, library.am_python_version
    except AttributeError:
        raise BackendUnavailableError(
            f"{path} is not the native library of this package: it exports no am_abi_version. "
            + _REBUILD
        ) from None
    abi_version.restype = python_version.restype = c_uint32
    if (found := abi_version()) != ABI_VERSION:
        raise BackendUnavailableError(
            f"{path} has ABI version {found}, but this package speaks {ABI_VERSION}: two versions "
            f"are installed over each other. {_REBUILD}"
        )
    major, minor = divmod(python_version(), 256)
    if (major, minor) != sys.version_info[:2]:
        raise BackendUnavailableError(
            f"{path} was built for CPython {major}.{minor}, but this is "
            f"{sys.version_info.major}.{sys.version_info.minor}. {_REBUILD}"
        )


def _declare(library: ctypes.PyDLL) -> None:
    """Give every function its types; a wrong one would be silent corruption."""
    pointer = c_void_p  # to structures declared where they are read
    signatures: dict[str, tuple[type, list[type]]] = {
        "am_init": (c_int, []),
        "am_scope_class": (py_object, []),
        "am_anchor_class": (py_object, []),
        "am_exchange_class": (py_object, []),
        "am_entrance_class": (py_object, []),
        "am_route_names_class": (py_object, []),
        "am_registry_class": (py_object, []),
        "am_own_guard_object": (py_object, []),
        "am_own_context_object": (py_object, []),
        "am_bind": (c_int, [py_object] * 5),
        "am_install": (c_int, []),
        "am_uninstall": (c_int, []),
        "am_position": (c_int, []),
        "am_native": (c_int, []),
        "am_displacer": (py_object, []),
        "am_broken": (c_char_p, []),
        "am_collector_callback": (py_object, [c_int]),
        "am_collector_check": (c_int, []),
        "am_exchange_mappings": (c_int, [c_int]),
        "am_track": (c_int, [c_int]),
        "am_is_tracking": (c_int, []),
        "am_scope_read": (c_int, [py_object, c_int, c_int, pointer]),
        "am_scope_read_native": (c_int, [py_object, c_int, pointer]),
        "am_scope_count_sizes": (c_int, [py_object]),
        "am_scope_read_sizes": (c_int, [py_object, pointer]),
        "am_node_read": (c_int, [c_uint32, pointer]),
        "am_node_read_native": (c_int, [c_uint32, pointer]),
        "am_follow_construction": (c_int, [py_object, py_object]),
        "am_close_open_scopes": (c_int, []),
        "am_current_scope": (py_object, []),
        "am_mark_new": (py_object, [py_object]),
        "am_mark_read": (c_int, [py_object, POINTER(c_int64)]),
        "am_mark_reset": (c_int, [py_object]),
        "am_aggregate_read": (c_int, [py_object, pointer]),
        "am_aggregate_retention": (c_int, [py_object, pointer, c_uint32]),
        "am_aggregate_buckets": (c_int, [py_object, c_int, pointer, c_uint32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    procedures: dict[str, list[type]] = {
        "am_collector_forget": [],
        "am_refresh": [],
        "am_signal_repeat": [c_int],
        "am_signal_heard": [],
        "am_core_read": [pointer],
    }
    for name, arguments in procedures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = None, arguments
