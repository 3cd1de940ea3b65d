"""The application that is soaked, and all that asks for its figures meanwhile."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Final

import anyio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from allocmeter import report
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor
from allocmeter.integrations.prometheus import AllocmeterCollector
from benchmarks.servers.application import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

ENTRIES: Final = 200
CLEARED: Final = 700  # entries after which the cache is emptied
REPORTED: Final = 5  # scrapes after which there is a report
_cache: OrderedDict[str, bytearray] = OrderedDict()
_entries = count(1)


async def cached(request: Request) -> Response:
    """Retain memory that a later request frees, or nobody for a long time."""
    key = request.path_params["key"]
    _cache[key] = bytearray(1_024)
    if len(_cache) > ENTRIES:
        _cache.popitem(last=False)
    if next(_entries) % CLEARED == 0:
        _cache.clear()
    return PlainTextResponse(key)


async def slow(_request: Request) -> Response:
    """Take too long, which is an error of the server."""
    with anyio.fail_after(0.002):
        await anyio.sleep(60)
    raise AssertionError


def soaked_application(*, measured: bool) -> ASGIApp:
    routes = [*ROUTES, Route("/cached/{key}", cached), Route("/slow", slow)]
    application: ASGIApp = Starlette(routes=routes)
    if measured:
        application = AllocationMiddleware(application, websocket_messages=True)
    return application


class Gate:
    """Stands around an application, and can be closed to see it at rest.

    Attributes:
        in_use: set once a request has come.
        ended: how many requests have been inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._inside = 0
        self.in_use = asyncio.Event()
        self.ended = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        while not self._open.is_set():
            await self._open.wait()
        self._inside += 1
        self.in_use.set()
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            self.ended += 1
            if not self._inside:
                self._empty.set()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Wait until what is inside has ended, and let nothing in for the block."""
        self._open.clear()
        if self._inside:
            self._empty.clear()
            await self._empty.wait()
        try:
            yield
        finally:
            self._open.set()


class Exporters:
    """Ask for the figures in every way there is."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader
        self._registry = CollectorRegistry()
        self._registry.register(AllocmeterCollector())

    async def run(self, every: float) -> None:
        """Scrape and collect every so many seconds, and now and then make a report."""
        rounds = 0
        while True:
            await asyncio.sleep(every)
            rounds += 1
            generate_latest(self._registry)
            self._reader.get_metrics_data()
            if rounds % REPORTED == 0:
                found = report()
                found.to_json()
                str(found)


@contextmanager
def exporting() -> Iterator[Exporters]:
    """Have every exporter in place for a block."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrumentor = AllocmeterInstrumentor()
    instrumentor.instrument(meter_provider=provider)
    try:
        yield Exporters(reader)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
