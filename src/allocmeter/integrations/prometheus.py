"""Figures of finished scopes for Prometheus, from one process or from several together.

Needs `pip install 'allocmeter[prometheus]'`. Nothing is registered and `prometheus_client` is not
imported until a class of this module is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.own import OWN
from allocmeter.integrations._exported_totals import ExportedTotals
from allocmeter.integrations._prometheus_client import client, is_multiprocess
from allocmeter.process import process_memory
from allocmeter.registry import default_registry
from allocmeter.sampler import check_interval

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from allocmeter.integrations._updater import Updater
    from allocmeter.registry import Registry

__all__ = ["AllocmeterCollector", "export_metrics"]


class AllocmeterCollector:
    """A collector of one process: `prometheus_client.REGISTRY.register(AllocmeterCollector())`.

    The figures are those of `report()` at the moment of the scrape. Counters are totals since
    the process began, or since it was forked if the collector was made before; they survive
    `Registry.reset()`. Every series has the label `scope`, which is the scope's name, and `route`
    and `method` if the name is made of them, as in `GET /items/{id}`. A name that no label should
    hold is cut and escaped, and ends in a digest then. `allocmeter_retained_by_age_bytes` has the
    label `age` too, and `allocmeter_retained_growth_bytes` is there once a name has enough scopes
    to estimate it. Safe from any thread.

    Where PROMETHEUS_MULTIPROC_DIR is set, each process would show only itself: use
    `export_metrics`.

    Args:
        registry: the finished scopes; by default those of the process.

    Raises:
        ImportError: `prometheus_client` is not installed.
        BackendUnavailableError: the native library cannot be used.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        with OWN:
            client()
            self._totals = ExportedTotals(registry)

    def collect(self) -> Iterable[Metric]:
        """Return every metric as it stands now; called for every scrape."""
        with OWN:
            from allocmeter.integrations._prometheus_families import families

            return families(self._totals.read(), process_memory().rss_bytes)

    def describe(self) -> Iterable[Metric]:
        """Return every metric without samples; called when the collector is registered."""
        with OWN:
            from allocmeter.integrations._prometheus_families import families

            return families({}, None)


class export_metrics:  # noqa: N801 - reads as a verb in `async with export_metrics()`
    """Export the figures of finished scopes until the block ends, from one or many processes.

    Use it with `with` or `async with` around the serving of each process, as in an ASGI lifespan.
    In a single process it registers an `AllocmeterCollector`. Where PROMETHEUS_MULTIPROC_DIR is
    set, as for gunicorn with several workers, it keeps the files there up to date, which
    `prometheus_client.multiprocess.MultiProcessCollector` adds up: every `interval` seconds, from
    a thread, and when the block or the process ends. Each update adds the exact difference to the
    one before, so no scope pays for it. A worker that is killed loses what it finished since its
    last update; call `prometheus_client.multiprocess.mark_process_dead(pid)` when one has ended,
    or the memory it retained goes on to be shown. What grows by the scope does not add up: the
    figures of `allocmeter_retained_growth_bytes` are those of the process where it grows fastest,
    as a peak is that of the process where it was highest. A forked child goes on by itself and
    counts what it finishes itself.

    There may be one at a time for each registry. Counters go on where an earlier one stopped.

    Args:
        interval: seconds between updates of the shared files.
        registry: the finished scopes; by default those of the process.
        collector_registry: where to register the collector of a single process; by default
            `prometheus_client.REGISTRY`.

    Raises:
        TypeError: `interval` is no number.
        ValueError: `interval` is not positive and finite.
        ImportError: `prometheus_client` is not installed.
        BackendUnavailableError: the native library cannot be used.
    """

    def __init__(
        self,
        interval: float = 5.0,
        *,
        registry: Registry | None = None,
        collector_registry: CollectorRegistry | None = None,
    ) -> None:
        with OWN:
            self._interval = check_interval(interval)
            self._registry = default_registry() if registry is None else registry
            self._collectors = collector_registry or client().REGISTRY
            self._collector: AllocmeterCollector | None = None
            self._updater: Updater | None = None

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            RuntimeError: the figures of this registry are being exported already, or
                PROMETHEUS_MULTIPROC_DIR was set after `prometheus_client` had been imported.
        """
        with OWN:
            if self._registry in _exported:
                raise RuntimeError(
                    "the figures of this registry are being exported already; end that "
                    "export_metrics() first, or give this one another registry"
                )
            if is_multiprocess():
                self._share()
            else:
                self._collector = AllocmeterCollector(self._registry)
                self._collectors.register(self._collector)
            _exported.add(self._registry)
            return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with OWN:
            import atexit

            updater, self._updater = self._updater, None
            if updater is not None:
                updater.stop()
                updater.update()
                atexit.unregister(updater.update)
            collector, self._collector = self._collector, None
            if collector is not None:
                self._collectors.unregister(collector)
            _exported.discard(self._registry)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    def flush(self) -> None:
        """Bring the shared files up to date now; a single process is always up to date."""
        if self._updater is not None:
            self._updater.update()

    def _share(self) -> None:
        import atexit

        from allocmeter.integrations._prometheus_client import check_multiprocess
        from allocmeter.integrations._prometheus_shared import shared_metrics
        from allocmeter.integrations._updater import Updater

        check_multiprocess()
        shared = shared_metrics(self._registry)
        self._updater = Updater(shared.update, self._interval)
        # The files are made here: a scrape that meets one which is being made fails.
        self._updater.update()
        self._updater.start()
        atexit.register(self._updater.update)


_exported: set[Registry] = set()
