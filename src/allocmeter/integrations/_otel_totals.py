"""The instruments that OpenTelemetry reads when it collects: what finished scopes add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import Observation

from allocmeter._core.own import OWN
from allocmeter.integrations._exported_totals import ExportedTotals
from allocmeter.reports import AGE_BANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

    from allocmeter.integrations._exported_labels import Labels
    from allocmeter.integrations._exported_series import Series
    from allocmeter.registry import Registry
    from allocmeter.reports import RetainedGrowth

    Attributes = dict[str, str]
    Values = Callable[[Series], Iterable[tuple[float, Attributes]]]

SCOPE_NAME: Final = "allocmeter.scope.name"
AGE: Final = "allocmeter.retained.age"

_GROWTH: Final[tuple[tuple[str, str, Callable[[RetainedGrowth], float]], ...]] = (
    (
        "retained_growth",
        "Bytes that each scope adds to what finished scopes retain, over the latest half of them.",
        lambda growth: growth.bytes_per_1000_calls / 1000,
    ),
    (
        "retained_growth_low",
        "Lower limit of the 95 % confidence interval of allocmeter.memory.retained_growth.",
        lambda growth: growth.low / 1000,
    ),
    (
        "retained_growth_high",
        "Upper limit of the 95 % confidence interval of allocmeter.memory.retained_growth.",
        lambda growth: growth.high / 1000,
    ),
)


class ObservedTotals:
    """The observable instruments of one meter for the scopes of one registry.

    Args:
        meter: where to make them.
        registry: the finished scopes.
        begin: called when a collection comes; returns whether anything is exported.
    """

    def __init__(self, meter: Meter, registry: Registry, begin: Callable[[], bool]) -> None:
        self._begin = begin
        self._totals = ExportedTotals(registry)
        self._found: dict[Labels, Series] = {}
        self._observed: set[str] = set()
        meter.create_observable_counter(
            "allocmeter.memory.allocated",
            [self._observing("allocated", _one(lambda series: series.totals.bytes_allocated))],
            unit="By",
            description="Bytes allocated by finished scopes, nested scopes included.",
        )
        meter.create_observable_counter(
            "allocmeter.memory.allocations",
            [self._observing("allocations", _one(lambda series: series.totals.allocations))],
            unit="{allocation}",
            description="Blocks allocated by finished scopes, nested scopes included.",
        )
        meter.create_observable_up_down_counter(
            "allocmeter.memory.retained",
            [self._observing("retained", _one(lambda series: series.retained_bytes))],
            unit="By",
            description="Bytes allocated by finished scopes that are alive now.",
        )
        meter.create_observable_up_down_counter(
            "allocmeter.memory.retained_by_age",
            [self._observing("retained_by_age", _by_age)],
            unit="By",
            description="The same by the time since their scope finished.",
        )
        for name, description, value in _GROWTH:
            meter.create_observable_gauge(
                f"allocmeter.memory.{name}",
                [self._observing(name, _growing(value))],
                unit="By/{scope}",
                description=description,
            )

    def _observing(
        self, which: str, values: Values
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            with OWN:
                if not self._begin():
                    return []
                # One reading for all instruments of a collection, so that they agree: whoever
                # comes for the second time begins the next.
                if which in self._observed or not self._observed:
                    self._found = self._totals.read()
                    self._observed.clear()
                self._observed.add(which)
                return [
                    Observation(value, attributes_of(labels) | more)
                    for labels, series in self._found.items()
                    for value, more in values(series)
                ]

        return observe


def attributes_of(labels: Labels) -> Attributes:
    """Return labels as OpenTelemetry calls them."""
    attributes = {SCOPE_NAME: labels.scope}
    if labels.route:
        attributes["http.route"] = labels.route
        attributes["http.request.method"] = labels.method
    return attributes


def _one(value: Callable[[Series], int]) -> Values:
    return lambda series: [(value(series), {})]


def _by_age(series: Series) -> Iterable[tuple[float, Attributes]]:
    for age, size in zip(AGE_BANDS, series.retained_by_age, strict=True):
        yield size, {AGE: age}


def _growing(value: Callable[[RetainedGrowth], float]) -> Values:
    return lambda series: [] if series.growth is None else [(value(series.growth), {})]
