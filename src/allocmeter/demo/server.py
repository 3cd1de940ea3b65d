"""An asyncio TCP server that measures every request by endpoint."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from allocmeter.demo.endpoints import ENDPOINTS
from allocmeter.demo.protocol import (
    LONGEST_LINE,
    Request,
    RequestError,
    encode_line,
    parse_request,
)
from allocmeter.scopes import measure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


class DemoServer:
    """Answers requests on any number of connections, in order on each of them.

    A connection's next line is read only when its last response has been taken by the socket, so
    a client that does not read is not served either, and buffers stay bounded.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on a free port of the loopback interface, which is given, while in the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST_LINE)
        try:
            port: int = server.sockets[0].getsockname()[1]
            yield port
        finally:
            server.close()
            # Requests under way see that nobody is there any more. Cancelling them instead would
            # make asyncio log each one.
            for writer in self._connections.values():
                writer.transport.abort()
            await asyncio.gather(*self._connections)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while await self._serve_one(reader, writer):
                pass
        except ConnectionError:
            pass  # the client has gone; there is nobody to tell
        finally:
            writer.close()
            del self._connections[task]

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer the next line; false at the end of the connection."""
        try:
            line = await _read_line(reader)
            if not line:
                return False
            request = parse_request(line, ENDPOINTS, self._sources)
        except RequestError as error:
            await _respond(writer, {"id": None, "error": str(error)})
            return True
        try:
            async with measure(request.endpoint):
                # In a method of its own: what its variables hold is gone when the scope ends.
                await self._answer(request, writer)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            traceback.print_exc()
            await _respond(writer, {"id": request.id, "error": f"internal error: {error!r}"})
        return True

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        result = await ENDPOINTS[request.endpoint](request, self._sources)
        await _respond(writer, {"id": request.id, "result": result})


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """Return the next line, or nothing at the end of the connection.

    Raises:
        RequestError: the line was too long; it has been skipped.
    """
    skipped = 0
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            skipped += len(await reader.readexactly(error.consumed))
        except asyncio.IncompleteReadError as error:
            return error.partial
        else:
            break
    if skipped:
        raise RequestError(f"a request has at most {LONGEST_LINE:,} bytes; this one is longer")
    return line


async def _respond(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(encode_line(message))
    await writer.drain()
