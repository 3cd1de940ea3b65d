"""The load of the demo, in a process of its own so that its memory is not in the figures.

Reports to its parent on standard output, a line of JSON each time: `sent` requests, how many of
them `failed`, after how many `seconds`; a line with a `fault` for each of the first failures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from allocmeter.demo.checks import ResponseChecker
from allocmeter.demo.corpus import load_corpus
from allocmeter.demo.endpoints import ENDPOINTS
from allocmeter.demo.protocol import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# A response holds a summary of one file at most.
LONGEST_RESPONSE = 4 * 1024 * 1024
REPORT_EVERY = 0.1
FAULTS_SHOWN = 5

# One `digest` in so many asks for all files. Fewer than one in twenty: a 95th percentile does not
# see them, as in life.
ALL_FILES_EVERY = 40


def plan_requests(count: int, seed: int, sources: Mapping[str, str]) -> list[Request]:
    """Choose `count` requests: equal shares of all endpoints, in an order given by `seed`."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice, no secret
    endpoints = list(ENDPOINTS)
    names = list(sources)
    planned: list[Request] = []
    for number in range(count):
        endpoint = endpoints[number % len(endpoints)]
        files = [chance.choice(names)]
        start = 0
        if endpoint == "similar":
            start = chance.randrange(sources[files[0]].count("\n"))
            files.append(chance.choice([files[0], chance.choice(names)]))
        elif endpoint == "digest" and number // len(endpoints) % ALL_FILES_EVERY == 4:
            files = names
        planned.append(Request(number, endpoint, tuple(files), start))
    chance.shuffle(planned)
    return planned


class Load:
    """Sends requests over several connections, checks each response, and counts."""

    def __init__(self, requests: Iterable[Request], checker: ResponseChecker) -> None:
        self.sent: int = 0
        self.failed: int = 0
        self._requests = iter(requests)
        self._checker = checker
        self._began = time.monotonic()

    async def run(self, port: int, *, connections: int, seconds: float) -> None:
        """Send until there are no more requests or `seconds` have passed."""
        due = self._due(seconds)
        reports = asyncio.create_task(self._report_regularly())
        try:
            await asyncio.gather(*(self._work(port, due) for _ in range(connections)))
        finally:
            reports.cancel()
            self._report()

    def _due(self, seconds: float) -> Iterator[Request]:
        while time.monotonic() - self._began < seconds:
            request = next(self._requests, None)
            if request is None:
                return
            yield request

    async def _work(self, port: int, requests: Iterator[Request]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LONGEST_RESPONSE)
        try:
            for request in requests:
                writer.write(request.encode())
                await writer.drain()
                line = await reader.readline()
                if not line:
                    raise ConnectionError("the server closed the connection")
                self._count(request, json.loads(line))
        finally:
            writer.close()

    def _count(self, request: Request, response: dict[str, Any]) -> None:
        self.sent += 1
        fault = self._checker.fault(request, response)
        if fault is not None:
            self.failed += 1
            if self.failed <= FAULTS_SHOWN:
                _tell({"fault": f"{request.endpoint} of {request.files[0]}: {fault}"})

    async def _report_regularly(self) -> None:
        while True:
            self._report()
            await asyncio.sleep(REPORT_EVERY)

    def _report(self) -> None:
        seconds = time.monotonic() - self._began
        _tell({"sent": self.sent, "failed": self.failed, "seconds": round(seconds, 3)})


def _tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - the parent reads standard output


def main(argv: Sequence[str] | None = None) -> int:
    """Run the load and return the exit status: 0 if every response was right."""
    parser = argparse.ArgumentParser(prog="allocmeter.demo.client", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args(argv)
    sources = load_corpus(options.seed)
    requests = plan_requests(options.requests, options.seed, sources)
    load = Load(requests, ResponseChecker(sources))
    try:
        asyncio.run(
            load.run(options.port, connections=options.connections, seconds=options.seconds)
        )
    except (OSError, ValueError) as error:
        print(f"demo client: {error}", file=sys.stderr)  # noqa: T201 - for whoever reads the demo
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if load.failed else 0


if __name__ == "__main__":
    sys.exit(main())
