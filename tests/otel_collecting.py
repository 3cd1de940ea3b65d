"""What OpenTelemetry was given, by the SDK's readers in memory."""

from __future__ import annotations

from contextlib import contextmanager

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor

TOTALS = ("memory.allocated", "memory.allocations", "memory.retained")
BY_AGE = "memory.retained_by_age"
AGE = "allocmeter.retained.age"
PATCHED = ("__exit__", "__aexit__", "_close")  # methods of measure that are in place meanwhile
HISTOGRAMS = ("scope.allocated", "scope.peak", "scope.retained")


class Collected:
    """A meter provider with a reader that can be asked what was recorded."""

    def __init__(self):
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])

    def metrics(self):
        """Return every metric by its name without the prefix."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name.removeprefix("allocmeter."): metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self):
        """Return data points: metric name -> scope name -> point; of several ages the last."""
        return {
            name: {
                point.attributes["allocmeter.scope.name"]: point
                for point in metric.data.data_points
            }
            for name, metric in self.metrics().items()
        }

    def values(self):
        """Return the totals: metric name -> scope name -> value."""
        points = self.points()
        return {
            name: {scope: point.value for scope, point in points.get(name, {}).items()}
            for name in TOTALS
        }

    def ages(self, scope):
        """Return what the scopes of a name retain: age -> value."""
        points = self.metrics()[BY_AGE].data.data_points
        return {
            point.attributes[AGE]: point.value
            for point in points
            if point.attributes["allocmeter.scope.name"] == scope
        }


@contextmanager
def instrumented(registry=None, collected=None, **options):
    """Instrument for the duration of a block, into memory."""
    collected = collected or Collected()
    AllocmeterInstrumentor().instrument(
        meter_provider=collected.provider, registry=registry, **options
    )
    try:
        yield collected
    finally:
        AllocmeterInstrumentor().uninstrument()
