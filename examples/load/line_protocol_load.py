"""Connect to `line_protocol.py` as 200 shops and 200 terminals, eight at a time.

python examples/load/line_protocol_load.py PORT [PORT OF THE TERMINALS]
"""

from __future__ import annotations

import asyncio
import sys

CLIENTS = 8
CONNECTIONS = 200
ARTICLES = [f"screw-{size}" for size in range(30)]


async def talk(port: int, commands: list[str]) -> None:
    """Send commands over one connection, each after the answer to the one before it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for command in commands:
        writer.write(command.encode() + b"\n")
        if not await reader.readline():
            raise ConnectionError(f"the server hung up after {command!r}")
    writer.close()
    await writer.wait_closed()


async def client(shops: int, terminals: int, first: int) -> None:
    """Make a share of the connections."""
    for number in range(first, CONNECTIONS, CLIENTS):
        article = ARTICLES[number % len(ARTICLES)]
        await talk(shops, [f"take {article} 2", "inventory screw-1", f"take {article} 1"])
        await talk(terminals, ["inventory screw", f"watch terminal-{number} {article}"])


async def main(shops: int, terminals: int = 0) -> None:
    """Run all clients at once."""
    terminals = terminals or shops + 1
    await asyncio.gather(*(client(shops, terminals, first) for first in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
