"""The instrumentor that OpenTelemetry's own tools look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.metrics import get_meter_provider

from allocmeter._core.own import OWN
from allocmeter.integrations import _otel_closing
from allocmeter.integrations._otel_instruments import HISTOGRAMS, Instruments
from allocmeter.registry import default_registry

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.metrics import MeterProvider


class AllocmeterInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Exports what finished scopes did, as metrics and as attributes of the span around.

    Metrics, with the attributes `allocmeter.scope.name` and, for a name such as
    `GET /items/{id}`, `http.route` and `http.request.method`:

    - `allocmeter.memory.allocated` (`By`) and `allocmeter.memory.allocations` (`{allocation}`):
      totals of the finished scopes of a name, nested scopes included, since the process began or
      was forked. They survive `Registry.reset()`.
    - `allocmeter.memory.retained` (`By`): what they allocated that is alive now; and, with the
      attribute `allocmeter.retained.age` for the time since their scope finished,
      `allocmeter.memory.retained_by_age`.
    - `allocmeter.memory.retained_growth` (`By/{scope}`): what each scope adds to that, over the
      latest half of them, and `allocmeter.memory.retained_growth_low` and `..._high`: the limits
      of its 95 % confidence interval. They begin when a name has had 64 scopes.
    - `allocmeter.scope.allocated`, `allocmeter.scope.peak`, `allocmeter.scope.retained` (`By`):
      histograms of what each scope allocated, of its peak, and of what it left alive when it
      closed, recorded at that moment, so that exemplars lead to the trace.

    Spans: where a named scope closes while a recording span is current, the span gets
    `allocmeter.scope.name`, `.allocated`, `.allocations`, `.peak` and `.retained`. A span in which
    several scopes close has the figures of the last, which is the outermost.

    Options of `instrument()`, all by keyword:
        meter_provider: where the metrics go; by default the global provider.
        registry: the finished scopes; by default those of the process.
        histograms: which to record, out of `allocated`, `peak` and `retained`; by default all.
        spans: whether spans get attributes; by default they do.

    Totals cost a scope nothing. With histograms or spans, where a scope by itself took 2.5
    microseconds, a named one took 7 more to be noticed and read, and in the SDK 15 for each
    histogram, or 20 within a sampled span, whose exemplar it keeps, and 15 for the attributes of
    the span: with everything on, as it is by default, close to 100 microseconds. Where that is
    much, choose fewer. Nothing of it is charged to a scope.
    `uninstrument()` stops all of it. The SDK's histograms in a forked child begin with what its
    parent had recorded: give each worker its own provider, after the fork.
    """

    _instruments: Instruments | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: what is instrumented is this package itself."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        with OWN:
            histograms = tuple(kwargs.get("histograms", HISTOGRAMS))
            if unknown := set(histograms) - set(HISTOGRAMS):
                raise ValueError(f"histograms may be some of {HISTOGRAMS}, not {sorted(unknown)}")
            provider = kwargs.get("meter_provider") or get_meter_provider()
            registry = kwargs.get("registry")
            if registry is None:
                registry = default_registry()
            # Instruments cannot be taken back, so a provider that had them gets them again.
            made = _made.setdefault(provider, {})
            if registry not in made:
                made[registry] = Instruments(provider, registry)
            self._instruments = made[registry]
            self._instruments.is_on = True
            self._instruments.histograms = histograms
            self._instruments.spans = bool(kwargs.get("spans", True))
            if histograms or self._instruments.spans:
                _otel_closing.begin(self._instruments.scope_closed)

    def _uninstrument(self, **_kwargs: Any) -> None:
        with OWN:
            _otel_closing.end()
            if self._instruments is not None:
                self._instruments.is_on = False
                self._instruments = None


_made: WeakKeyDictionary[MeterProvider, dict[Any, Instruments]] = WeakKeyDictionary()
