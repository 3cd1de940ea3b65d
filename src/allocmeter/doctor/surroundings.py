"""What the process runs on and in: versions, libraries, environment, limits."""

from __future__ import annotations

import os
import sys

from allocmeter.doctor.checks import Check

TIGHT = 1 << 30  # bytes of address space
_PREFIXES = ("ALLOCMETER_", "MALLOC_")
_VARIABLES = (
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "GLIBC_TUNABLES",
    "PYTHONMALLOC",
    "PYTHONTRACEMALLOC",
    "PYTHONDEVMODE",
    "PYTHONPATH",
    "PYTHON_GIL",
    "VIRTUAL_ENV",
)


def versions() -> dict[str, str]:
    """Return the versions of everything that figures depend on."""
    import platform

    from allocmeter._version import __version__

    found = {
        "allocmeter": __version__,
        "python": f"{sys.implementation.name} {platform.python_version()}{_build_flags()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or "unknown (neither glibc nor musl)",
    }
    for name in ("anyio", "trio", "uvloop"):
        found[name] = _version_of(name)
    return found


def libraries() -> dict[str, str]:
    """Return where the libraries are, or why there is none."""
    from allocmeter._core import preload
    from allocmeter.backend import backend_info
    from allocmeter.errors import BackendUnavailableError

    info = backend_info()
    native = f"{info.library} (ABI {info.abi_version})" if info.library else f"none: {info.reason}"
    try:
        preloaded = preload.find()
    except (BackendUnavailableError, ImportError) as error:
        preloaded = f"none: {error}"
    return {"executable": sys.executable, "native": native, "preload": preloaded}


def environment() -> dict[str, str]:
    """Return the variables that are set and make a difference."""
    return {
        name: os.environ[name]
        for name in sorted(os.environ)
        if name in _VARIABLES or name.startswith(_PREFIXES)
    }


def notes() -> list[Check]:
    """Return what is no error and may explain figures."""
    found = [_address_space(), _tracer(), _gaps()]
    return [check for check in found if check is not None]


def _build_flags() -> str:
    import sysconfig

    flags = [
        text
        for text, is_set in (
            ("free-threaded", sysconfig.get_config_var("Py_GIL_DISABLED")),
            ("debug build", hasattr(sys, "gettotalrefcount")),
            ("without pymalloc", sysconfig.get_config_var("WITH_PYMALLOC") == 0),
        )
        if is_set
    ]
    return f" ({', '.join(flags)})" if flags else ""


def _version_of(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _address_space() -> Check | None:
    """Say where the address space is limited: the ledger needs a quarter of what the heap has."""
    from allocmeter.units import human_bytes

    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return Check("address space", "ok", "not limited")
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            used = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return Check("address space", "note", f"limited to {human_bytes(limit)}")
    left = max(limit - used, 0)
    reason = f"limited to {human_bytes(limit)}, of which {human_bytes(left)} are left"
    if left >= TIGHT:
        return Check("address space", "ok", reason)
    return Check(
        "address space",
        "note",
        f"{reason}: blocks that there is no room to note make figures incomplete, and those are "
        "refused",
        "raise the limit (ulimit -v) by a quarter of what the program needs",
    )


def _tracer() -> Check | None:
    import tracemalloc

    if not tracemalloc.is_tracing():
        return None
    return Check(
        "tracemalloc",
        "note",
        "is tracing: figures stay exact, and everything is slower by a factor",
        "run without -X tracemalloc and PYTHONTRACEMALLOC when it is not needed",
    )


def _gaps() -> Check | None:
    from allocmeter.backend import backend_info

    gaps = backend_info().gaps
    if not gaps:
        return None
    return Check(
        "gaps",
        "note",
        f"{gaps} times blocks may have gone by unseen in this process, because hooks were removed "
        "or there was no address space left; figures with such a gap are refused",
    )
