"""Runs the server in this process and the client in another, and collects what they found."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from allocmeter.demo.corpus import load_corpus
from allocmeter.demo.server import DemoServer
from allocmeter.errors import AllocmeterError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from allocmeter.demo.progress import Progress

# What a client gets beyond its time for sending: to start, and to have its last responses.
GRACE_SECONDS = 8.0


class DemoFailedError(AllocmeterError):
    """The client ended early, or did not get the right response to each request."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How much load to make.

    Attributes:
        requests: how many to send.
        connections: how many requests are under way at a time.
        seed: of the choice of files and of the order of requests.
        seconds: after which no more requests are sent.
    """

    requests: int
    connections: int
    seed: int
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What the client counted.

    Attributes:
        planned: requests that were to be sent.
        sent: requests that were sent and answered.
        failed: how many of those had a wrong response.
        seconds: how long that took.
        faults: what was wrong with the first failures.
    """

    planned: int
    sent: int = 0
    failed: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


async def run_demo(options: DemoOptions, progress: Progress) -> Outcome:
    """Serve the load that `options` describe; the figures are in the registry afterwards.

    Raises:
        CorpusError: there is no input.
        DemoFailedError: the client failed, or a response was wrong; the figures are kept.
        OSError: no port can be opened, or no process started.
    """
    sources = load_corpus(options.seed)
    outcome = Outcome(options.requests)
    async with DemoServer(sources).listening() as port:
        progress.note(
            f"Serving {len(sources)} source files of the standard library on 127.0.0.1:{port}; "
            f"a client process sends {options.requests:,} requests over "
            f"{options.connections} connections."
        )
        limit = options.seconds + GRACE_SECONDS
        try:
            async with asyncio.timeout(limit), _client(options, port) as client:
                status = await _follow(client, outcome, progress)
        except TimeoutError:
            raise DemoFailedError(
                f"the client did not finish within {limit:g} s, after {_so_far(outcome)}"
            ) from None
        finally:
            progress.close()
    if outcome.failed:
        raise DemoFailedError(
            f"{outcome.failed:,} of {outcome.sent:,} requests failed: {'; '.join(outcome.faults)}"
        )
    if status != 0:
        raise DemoFailedError(f"the client ended with status {status} after {_so_far(outcome)}")
    return outcome


def _so_far(outcome: Outcome) -> str:
    return f"{outcome.sent:,} of {outcome.planned:,} requests"


def client_command(options: DemoOptions, port: int) -> list[str]:
    """Return the command line of the client process."""
    arguments = {
        "--port": port,
        "--requests": options.requests,
        "--connections": options.connections,
        "--seed": options.seed,
        "--seconds": options.seconds,
    }
    flat = [f"{name}={value}" for name, value in arguments.items()]
    return [sys.executable, "-m", "allocmeter.demo.client", *flat]


@asynccontextmanager
async def _client(options: DemoOptions, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    client = await asyncio.create_subprocess_exec(
        *client_command(options, port),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield client
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()


async def _follow(client: asyncio.subprocess.Process, outcome: Outcome, progress: Progress) -> int:
    """Take the client's reports until it ends, and return its exit status."""
    assert client.stdout is not None
    async for line in client.stdout:
        try:
            report: dict[str, Any] = json.loads(line)
        except ValueError:
            raise DemoFailedError(f"the client printed {line!r:.200} instead of a report") from None
        if "fault" in report:
            outcome.faults.append(report["fault"])
            continue
        outcome.sent = report["sent"]
        outcome.failed = report["failed"]
        outcome.seconds = report["seconds"]
        progress.update(outcome.sent, outcome.failed, outcome.seconds)
    return await client.wait()
