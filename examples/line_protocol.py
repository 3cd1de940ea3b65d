"""Which clients of my line protocol leave memory behind when they hang up?

    $ python examples/line_protocol.py
    ...
                      allocated  share of  allocated  allocations     peak  retained
    scope      calls     in all  bytes           max       in all      max       now  verdict
    -----------------------------------------------------------------------------------------
    terminal     200    3.2 MiB  ███        23.0 KiB       40,048  8.4 KiB  49.8 KiB  leaks
    shop         200    2.9 MiB  ██▊        15.5 KiB       33,427  2.7 KiB   6.3 KiB  ok
    inventory    400    2.0 MiB  █▉          8.0 KiB       29,963  3.3 KiB  12.5 KiB  ok
    take         400    255 KiB  ▎           1.4 KiB        3,203  1.2 KiB   1.7 KiB  ok
    watch        200    150 KiB  ▏           7.0 KiB        1,406  6.9 KiB  27.2 KiB  leaks
    ...
    leaks  terminal  keeps 247 B a call (231 B to 261 B): 49.8 KiB still alive after 200 calls
    leaks  watch     keeps 107 B a call (107 B to 149 B): 27.2 KiB still alive after 200 calls

Two listeners share one process; a connection has a scope from its first line to its last, and each
command has one inside that. Give it a port, and it serves there until it is interrupted:

    python examples/line_protocol.py 7000
    python examples/load/line_protocol_load.py 7000
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter import measure, report
from allocmeter.integrations.connections import measure_connections
from allocmeter.renderers.text import render

if TYPE_CHECKING:
    from collections.abc import Callable

LOAD = Path(__file__).parent / "load" / "line_protocol_load.py"

stock: dict[str, int] = {}
watchers: dict[str, str] = {}


def take(article: str, amount: str) -> str:
    """Take some pieces of an article out of the stock."""
    stock[article] = stock.get(article, 1_000) - int(amount)
    return str(stock[article])


def inventory(prefix: str) -> str:
    """List the articles whose names begin with a prefix."""
    lines = [f"{name}={left}" for name, left in sorted(stock.items()) if name.startswith(prefix)]
    return " ".join(lines)


def watch(watcher: str, article: str) -> str:
    """Note who wants to know about an article; nobody ever removes the note."""
    watchers[watcher] = (
        f"wants to know, at any hour of the day or night, by telephone or by letter, whenever the "
        f"number of {article} in the stock changes, of which {stock.get(article)} are left today"
    )
    return "watching"


COMMANDS: dict[str, Callable[..., str]] = {"take": take, "inventory": inventory, "watch": watch}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer commands such as `take screw 17` with a line each."""
    while line := await reader.readline():
        command, *arguments = line.decode().split()
        with measure(command):
            writer.write(COMMANDS[command](*arguments).encode() + b"\n")
            await writer.drain()
    writer.close()


@measure_connections
async def shop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a shop, which asks a few things and hangs up."""
    await answer(reader, writer)


@measure_connections
async def terminal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a terminal in the warehouse."""
    await answer(reader, writer)


async def main(port: int = 0) -> None:
    """Serve shops on a port and terminals on the next; without a port, under a load of our own."""
    shops = await asyncio.start_server(shop, "127.0.0.1", port)
    terminals = await asyncio.start_server(terminal, "127.0.0.1", port and port + 1)
    async with shops, terminals:
        if port:
            await asyncio.gather(shops.serve_forever(), terminals.serve_forever())
        ports = [str(server.sockets[0].getsockname()[1]) for server in (shops, terminals)]
        load = await asyncio.create_subprocess_exec(sys.executable, LOAD, *ports)
        await load.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*map(int, sys.argv[1:])))
    print(render(report(), width=96))
