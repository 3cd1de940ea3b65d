"""The instruments of OpenTelemetry, and what a scope that closes feeds them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.trace import get_current_span

from allocmeter._core.figures import FINAL, read_scope
from allocmeter._version import __version__
from allocmeter.errors import BackendUnavailableError
from allocmeter.integrations._exported_labels import labels_of
from allocmeter.integrations._exported_series import BOUNDS
from allocmeter.integrations._otel_closing import is_collecting
from allocmeter.integrations._otel_totals import SCOPE_NAME, ObservedTotals, attributes_of
from allocmeter.registry import OTHER

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from allocmeter.registry import Registry
    from allocmeter.scopes import measure

HISTOGRAMS: Final = ("allocated", "peak", "retained")

_DESCRIPTIONS: Final = {
    "allocated": "Bytes that each finished scope allocated.",
    "peak": "Highest number of live bytes in each finished scope.",
    "retained": "Bytes that each scope left alive when it closed.",
}
_MAX_DEFERRED = 10_000


class _Closed(NamedTuple):
    """What a scope did until it closed, in bytes and blocks."""

    name: str
    allocated: int
    allocations: int
    peak: int
    retained: int


class Instruments:
    """The instruments of one meter provider for the scopes of one registry.

    Attributes:
        is_on: whether they export anything.
        histograms: which of `HISTOGRAMS` are recorded.
        spans: whether spans get attributes.
    """

    def __init__(self, provider: MeterProvider, registry: Registry) -> None:
        self.is_on = False
        self.histograms: tuple[str, ...] = HISTOGRAMS
        self.spans = True
        self._registry = registry
        self._attributes: dict[str, dict[str, str]] = {}
        self._deferred: deque[_Closed] = deque(maxlen=_MAX_DEFERRED)
        meter = provider.get_meter("allocmeter", __version__)
        self._observed = ObservedTotals(meter, registry, self._begin_collection)
        self._histograms = {
            name: meter.create_histogram(
                f"allocmeter.scope.{name}",
                unit="By",
                description=_DESCRIPTIONS[name],
                explicit_bucket_boundaries_advisory=BOUNDS,
            )
            for name in HISTOGRAMS
        }

    def scope_closed(self, scope: measure) -> None:
        """Record a named scope that has just closed, and note it on the current span."""
        closed = self._read(scope)
        if closed is None:
            return
        if is_collecting():
            self._deferred.append(closed)
            return
        if self._deferred:
            self._record_deferred()
        attributes = self._record(closed)
        if self.spans and (span := get_current_span()).is_recording():
            span.set_attributes(
                {
                    SCOPE_NAME: attributes[SCOPE_NAME],
                    "allocmeter.scope.allocated": closed.allocated,
                    "allocmeter.scope.allocations": closed.allocations,
                    "allocmeter.scope.peak": closed.peak,
                    "allocmeter.scope.retained": closed.retained,
                }
            )

    def _read(self, scope: measure) -> _Closed | None:
        registry = self._registry
        name = scope.name
        if name is None or scope._registry is not registry:  # noqa: SLF001 - for integrations
            return None
        try:
            figures = read_scope(scope, FINAL)
        except BackendUnavailableError:  # not measured, or incomplete: it is in no report either
            return None
        return _Closed(
            name if name in registry else OTHER,
            figures.bytes_allocated,
            figures.allocations,
            figures.peak_bytes,
            figures.bytes_allocated - figures.bytes_deallocated,
        )

    def _begin_collection(self) -> bool:
        if self.is_on:
            self._record_deferred()
        return self.is_on

    def _record_deferred(self) -> None:
        while self._deferred:
            try:
                closed = self._deferred.popleft()
            except IndexError:  # another thread has taken it
                return
            self._record(closed)

    def _record(self, closed: _Closed) -> dict[str, str]:
        """Record a scope, and return the attributes it was recorded with."""
        attributes = self._attributes.get(closed.name)
        if attributes is None:
            if len(self._attributes) > self._registry.max_names:
                self._attributes.clear()  # names change only where a registry is reset
            attributes = attributes_of(labels_of(closed.name))
            self._attributes[closed.name] = attributes
        for which in self.histograms:
            self._histograms[which].record(getattr(closed, which), attributes)
        return attributes
