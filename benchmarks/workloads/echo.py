"""An echo server of asyncio; its clients are in a process of their own and are not measured."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.workloads import Scope, Work

CLIENTS, LINES = 50, 40

# All clients send a line, then each reads its answer: the server finds as many lines waiting as
# there are clients, and the number of its turns does not depend on who is faster.
SENDING = """
import socket, sys
port, clients, lines = map(int, sys.argv[1:])
connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
line = b"x" * 200 + b"\\n"
for _ in range(lines):
    for connection in connections:
        connection.sendall(line)
    for connection in connections:
        missing = len(line)
        while missing:
            missing -= len(connection.recv(missing))
"""


def echo(scope: Scope | None) -> Work:
    """Serve fifty clients, who send forty lines each; a scope for each line."""
    # What measures this process is not to measure the clients.
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    async def serve_measured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert scope is not None
        more = True
        while more:
            async with scope("line"):
                line = await reader.readline()
                if line:
                    writer.write(line)
                    await writer.drain()
                more = bool(line)
        writer.close()

    async def main() -> None:
        served = asyncio.Semaphore(0)
        handler = serve if scope is None else serve_measured

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):  # clients need not wait for the end
                await handler(reader, writer)
            served.release()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        command = [sys.executable, "-S", "-c", SENDING, str(port), str(CLIENTS), str(LINES)]
        clients = await asyncio.create_subprocess_exec(*command, env=plain)
        for _ in range(CLIENTS):
            await served.acquire()
        if await clients.wait():
            raise RuntimeError(f"the clients ended with status {clients.returncode}")
        server.close()
        await server.wait_closed()

    return lambda: asyncio.run(main())
