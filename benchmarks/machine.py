"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.paths import ROOT

COMPARED: Final = (
    "memray",
    "ddtrace",
    "scalene",
    "pyperformance",
    "numpy",
    "starlette",
    "uvicorn",
    "uvloop",
)


def facts() -> dict[str, str]:
    """Return facts of the machine, the interpreter and the packages that take part."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "allocmeter": f"{metadata.version('allocmeter')}{_commit()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "packages": ", ".join(filter(None, map(_version, COMPARED))),
    }


def line(found: dict[str, str]) -> str:
    """Return the facts as one line."""
    return (
        f"{found['python']} ({found['compiler']}), {found['system']}, {found['processor']}, "
        f"{found['cpus']} CPUs, load {found['load']} at the start, {found['date']}; "
        f"allocmeter {found['allocmeter']}; {found['packages']}"
    )


def _commit() -> str:
    """Return the commit of the source tree, if there is one."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" at {said}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else "unknown processor"


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""
