"""The instruments of OpenTelemetry, and what they are fed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.metrics import Observation
from opentelemetry.trace import get_current_span

from allocmeter._core.figures import FINAL, read_scope
from allocmeter._core.own import OWN
from allocmeter._version import __version__
from allocmeter.errors import BackendUnavailableError
from allocmeter.integrations._exported_labels import labels_of
from allocmeter.integrations._exported_totals import BOUNDS, ExportedTotals
from allocmeter.integrations._otel_closing import is_collecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, MeterProvider

    from allocmeter.integrations._exported_labels import Labels
    from allocmeter.integrations._exported_totals import Series
    from allocmeter.registry import Registry
    from allocmeter.scopes import measure

SCOPE_NAME: Final = "allocmeter.scope.name"
HISTOGRAMS: Final = ("allocated", "peak", "retained")

_DESCRIPTIONS: Final = {
    "allocated": "Bytes that each finished scope allocated.",
    "peak": "Highest number of live bytes in each finished scope.",
    "retained": "Bytes that each scope left alive when it closed.",
}
_OTHER = "(other)"  # as in _native/registry.c
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
        self._totals = ExportedTotals(registry)
        self._found: dict[Labels, Series] = {}
        self._observed: set[str] = set()
        self._attributes: dict[str, dict[str, str]] = {}
        self._deferred: deque[_Closed] = deque(maxlen=_MAX_DEFERRED)
        meter = provider.get_meter("allocmeter", __version__)
        meter.create_observable_counter(
            "allocmeter.memory.allocated",
            [self._observing("allocated", lambda series: series.totals.bytes_allocated)],
            unit="By",
            description="Bytes allocated by finished scopes, nested scopes included.",
        )
        meter.create_observable_counter(
            "allocmeter.memory.allocations",
            [self._observing("allocations", lambda series: series.totals.allocations)],
            unit="{allocation}",
            description="Blocks allocated by finished scopes, nested scopes included.",
        )
        meter.create_observable_up_down_counter(
            "allocmeter.memory.retained",
            [self._observing("retained", lambda series: series.retained_bytes)],
            unit="By",
            description="Bytes allocated by finished scopes that are alive now.",
        )
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
        self._record_deferred()
        self._record(closed)
        if self.spans and (span := get_current_span()).is_recording():
            span.set_attributes(
                {
                    SCOPE_NAME: labels_of(closed.name).scope,
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
            name if name in registry else _OTHER,
            figures.bytes_allocated,
            figures.allocations,
            figures.peak_bytes,
            figures.bytes_allocated - figures.bytes_deallocated,
        )

    def _record_deferred(self) -> None:
        while self._deferred:
            try:
                closed = self._deferred.popleft()
            except IndexError:  # another thread has taken it
                return
            self._record(closed)

    def _record(self, closed: _Closed) -> None:
        attributes = self._attributes.get(closed.name)
        if attributes is None:
            if len(self._attributes) > self._registry.max_names:
                self._attributes.clear()  # names change only where a registry is reset
            attributes = _attributes(labels_of(closed.name))
            self._attributes[closed.name] = attributes
        for which in self.histograms:
            self._histograms[which].record(getattr(closed, which), attributes)

    def _observing(
        self, which: str, value: Callable[[Series], int]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            with OWN:
                if not self.is_on:
                    return []
                self._record_deferred()
                # One reading for all instruments of a collection, so that they agree: whoever
                # comes for the second time begins the next.
                if which in self._observed or not self._observed:
                    self._found = self._totals.read()
                    self._observed.clear()
                self._observed.add(which)
                return [
                    Observation(value(series), _attributes(labels))
                    for labels, series in self._found.items()
                ]

        return observe


def _attributes(labels: Labels) -> dict[str, str]:
    attributes = {SCOPE_NAME: labels.scope}
    if labels.route:
        attributes["http.route"] = labels.route
        attributes["http.request.method"] = labels.method
    return attributes
