"""The client library of Prometheus, which is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def client() -> ModuleType:
    """Import and return `prometheus_client`.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import prometheus_client
    except ImportError as error:
        raise ImportError(
            "metrics for Prometheus need the package prometheus-client: "
            "pip install 'allocmeter[prometheus]'"
        ) from error
    return prometheus_client


def is_multiprocess() -> bool:
    """Whether the environment asks for metrics that several processes share through files."""
    import os

    return "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ


def check_multiprocess() -> None:
    """Check that the client library too has found the environment that asks for shared files.

    Raises:
        RuntimeError: it has not, because it was imported before.
    """
    from prometheus_client import values

    if not getattr(values.ValueClass, "_multiprocess", True):
        raise RuntimeError(
            "PROMETHEUS_MULTIPROC_DIR was set after prometheus_client had been imported, which "
            "keeps its metrics in memory since then; set it before, or in the environment that "
            "the process is started with"
        )
