"""Figures of finished scopes for OpenTelemetry.

`AllocmeterInstrumentor().instrument()` needs `pip install 'allocmeter[opentelemetry]'`. The
`opentelemetry-instrument` command finds it by itself. OpenTelemetry is not imported before
`AllocmeterInstrumentor` is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allocmeter.integrations._otel_instrumentor import AllocmeterInstrumentor

__all__ = ["AllocmeterInstrumentor"]


def __getattr__(name: str) -> Any:
    if name != "AllocmeterInstrumentor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from allocmeter._core.own import OWN

    with OWN:
        try:
            import opentelemetry.instrumentation.instrumentor  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "metrics for OpenTelemetry need the packages opentelemetry-api and "
                "opentelemetry-instrumentation: pip install 'allocmeter[opentelemetry]'"
            ) from error
        from allocmeter.integrations._otel_instrumentor import AllocmeterInstrumentor

        return AllocmeterInstrumentor
