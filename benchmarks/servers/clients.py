"""Many clients with connections that are kept alive, in a process of their own.

    $ python -m benchmarks.servers.clients PORT --clients 200 --seconds 30 [--route "GET /small"]

Each sends its next request when the last one was answered; with several routes, one after the
other, and each client begins with another. Prints one line of JSON: `requests` answered as they
should be, `failed` ones, the `seconds` it took, and the first `problem`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.paths import ROOT
from benchmarks.servers.traffic import ROUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.servers.traffic import Request


class Clients:
    """What clients of one port have seen."""

    def __init__(self, port: int, requests: Sequence[Request]) -> None:
        self.port = port
        self.answered = 0
        self.failed = 0
        self.problem = ""
        self._requests = [
            (request.encoded(), b"HTTP/1.1 %d " % request.status) for request in requests
        ]

    async def run(self, clients: int, *, seconds: float, each: int | None = None) -> None:
        """Send requests for some seconds, or a number of rounds of all of them by each client."""
        stop = time.monotonic() + seconds
        await asyncio.gather(*(self._client(first, stop, each) for first in range(clients)))

    async def _client(self, first: int, stop: float, each: int | None) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as error:
            self._note_failure(repr(error))
            return
        number, last = first, None if each is None else first + each * len(self._requests)
        while number != last and (last is not None or time.monotonic() < stop):
            content, expected = self._requests[number % len(self._requests)]
            number += 1
            writer.write(content)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                await _skip_body(reader, head.lower())
            except (OSError, EOFError) as error:
                self._note_failure(repr(error))
                break
            if head.startswith(expected):
                self.answered += 1
            else:
                self._note_failure(head.decode("latin-1"))
        writer.close()

    def _note_failure(self, problem: str) -> None:
        self.failed += 1
        self.problem = self.problem or problem


async def _skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
    _, found, rest = head.partition(b"\r\ncontent-length: ")
    if found:
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def start(
    port: int, clients: int, *, seconds: float = 0.0, each: int | None = None, routes: Sequence[str]
) -> subprocess.Popen[str]:
    """Start clients in a process of their own; `answers` waits for what they have to say."""
    command = [sys.executable, "-m", "benchmarks.servers.clients", str(port)]
    command += [f"--clients={clients}", f"--seconds={seconds}"]
    if each is not None:
        command.append(f"--each={each}")
    for route in routes:
        command += ["--route", route]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def answers(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for clients, and return what they printed.

    Raises:
        RuntimeError: a request failed.
    """
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the clients ended with status {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} requests failed, the first one: {found['problem']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--each", type=int, help="rounds by each client, however long they take")
    parser.add_argument("--route", action="append", choices=list(ROUTES), help="default: all")
    options = parser.parse_args()
    clients = Clients(options.port, [ROUTES[route] for route in options.route or ROUTES])
    started = time.monotonic()
    work = clients.run(options.clients, seconds=options.seconds, each=options.each)
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
    answer = {
        "requests": clients.answered,
        "failed": clients.failed,
        "seconds": time.monotonic() - started,
        "problem": clients.problem,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
