"""Real servers in the process of a test, where its scopes can be looked at, and raw clients."""

from __future__ import annotations

import gc
import socket
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from allocmeter import backend_info
from allocmeter._core.figures import current_scope
from serving import until


class Live(NamedTuple):
    """A kind of server."""

    backend: tuple
    module: str
    serve: object

    def __repr__(self):
        return f"{self.module}-{self.backend[0]}"


def _with_uvicorn(http):
    @asynccontextmanager
    async def serve(app, listener):
        import uvicorn

        config = uvicorn.Config(
            app,
            http=http,
            ws="websockets-sansio",
            log_config=None,
            log_level="critical",  # records of errors keep what was alive in the frames
            access_log=False,
            timeout_graceful_shutdown=30,
        )
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            await until(lambda: server.started)
            yield
            server.should_exit = True

    return serve


@asynccontextmanager
async def _with_hypercorn(app, listener):
    import functools

    import hypercorn.trio
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = None
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        serving = functools.partial(hypercorn.trio.serve, shutdown_trigger=stop.wait)
        await tasks.start(lambda task_status: serving(app, config, task_status=task_status))
        yield
        stop.set()


UVICORN = [
    Live(("asyncio", {}), "h11", _with_uvicorn("h11")),
    Live(("asyncio", {"use_uvloop": True}), "httptools", _with_uvicorn("httptools")),
]
SERVERS = [*UVICORN, Live(("trio", {}), "hypercorn", _with_hypercorn)]


@asynccontextmanager
async def serving(live, app):
    """Serve an application, and see to it that no scope is open when it is over.

    Yields the port.
    """
    pytest.importorskip("uvicorn")
    pytest.importorskip(live.module)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(500)
        port = listener.getsockname()[1]
        with anyio.fail_after(20):
            async with live.serve(app, listener):
                yield port
                await until(lambda: not backend_info().open_scopes or only_lifespan())
    gc.collect()
    assert backend_info().open_scopes == 0
    assert current_scope() is None


def only_lifespan():
    """Whether no scope but that of a lifespan may be open; it ends with the server."""
    return backend_info().open_scopes <= 1


class Client:
    """One connection, and the bytes that come back on it."""

    def __init__(self, stream):
        self._stream = stream
        self._buffer = BufferedByteReceiveStream(stream)

    async def send(self, data):
        await self._stream.send(data)

    async def head(self):
        """Return the status and the headers of the next response."""
        lines = (await self._buffer.receive_until(b"\r\n\r\n", 1 << 20)).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), headers

    async def answer(self, *, bodiless=False):
        """Return the status of the next response, and the size of its body."""
        status, headers = await self.head()
        if bodiless or status in {204, 304}:
            return status, 0
        if "content-length" in headers:
            size = int(headers["content-length"])
            await self._buffer.receive_exactly(size)
            return status, size
        if headers.get("transfer-encoding") == "chunked":
            return status, await self._chunks()
        return status, await self._rest()

    async def _chunks(self):
        total = 0
        while size := int(await self._buffer.receive_until(b"\r\n", 100), 16):
            await self._buffer.receive_exactly(size + 2)
            total += size
        await self._buffer.receive_until(b"\r\n", 100)
        return total

    async def _rest(self):
        total = 0
        try:
            while True:
                total += len(await self._buffer.receive())
        except anyio.EndOfStream:
            return total

    async def ask(self, path, method="GET", body=b""):
        """Send a request, and return the status of the answer and the size of its body."""
        await self.send(head_of(path, method, len(body)) + body)
        return await self.answer(bodiless=method == "HEAD")


@asynccontextmanager
async def connected(port):
    """Connect; what is not read when the block is left is discarded, as when a client crashes."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield Client(stream)


def head_of(path, method="GET", length=0, version="1.1"):
    return (
        f"{method} {path} HTTP/{version}\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
