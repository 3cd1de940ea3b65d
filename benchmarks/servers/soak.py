"""Hours of traffic in minutes: what the library needs for itself has to stay where it is.

Once without sockets, by tasks that call the application, and once in uvicorn. All kinds of routes
are asked, by clients that go away, give up, ask for what fails or is not there, and talk over
websockets; a cache retains memory and frees it later; Prometheus and OpenTelemetry collect, and
reports are made. Every other second the traffic stops for a moment, garbage is collected, and
the memory of the library (the Python heap, and the tables of its core) and of the process is read.

Growth is that over the latest half of the requests: the median of the slopes between two samples,
with its 95 % interval.

    $ python -m benchmarks.servers.soak [--minutes 4] [--over calls|uvicorn]

Ends with status 1 unless the library's memory is flat: the interval is not above zero.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import StatisticsError
from typing import TYPE_CHECKING, Final, NamedTuple

from allocmeter import backend_info, process_memory, report
from allocmeter.growth import retained_growth
from benchmarks.paths import ROOT
from benchmarks.servers import clients
from benchmarks.servers.serving import machine
from benchmarks.servers.traffic import ROUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocmeter.reports import RetainedGrowth
    from benchmarks.servers.soaking import Gate

WAYS: Final = ("calls", "uvicorn")
TASKS: Final = 64
STARTING: Final = 1.0  # seconds that clients may take to start
FIGURES: Final = ("own", "tables", "rss")
JUDGED: Final = ("own", "tables")


class Sample(NamedTuple):
    """Bytes after so many requests, all of them over."""

    requests: int
    own: int
    tables: int
    rss: int


class Outcome(NamedTuple):
    """What was sampled, and how many requests there were of each kind."""

    samples: list[Sample]
    ends: Counter[str]


def sample(requests: int) -> Sample:
    gc.collect()
    found = backend_info()
    rss = process_memory().rss_bytes or 0
    return Sample(requests, found.own_bytes, found.own_table_bytes, rss)


async def sampled(gate: Gate, seconds: float, every: float) -> list[Sample]:
    found: list[Sample] = []
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        await asyncio.sleep(every)
        async with gate.closed():
            found.append(sample(gate.ended))
        latest = found[-1]
        print(
            f"\r\033[K{max(0.0, stop - time.monotonic()):.0f} s to go, {latest.requests:,} "
            f"requests, own {latest.own:,} B",
            end="",
            file=sys.stderr,
            flush=True,
        )
    print(file=sys.stderr)
    return found


async def over_calls(gate: Gate, seconds: float, every: float) -> Outcome:
    """Soak by tasks in this process."""
    from benchmarks.servers.driving import Drivers

    driving = asyncio.create_task(Drivers(gate).run(TASKS))
    found = await sampled(gate, seconds, every)
    driving.cancel()
    with suppress(asyncio.CancelledError):
        await driving
    return Outcome(found, Counter())


async def over_uvicorn(gate: Gate, seconds: float, every: float) -> Outcome:
    """Soak a server in this process by clients in two others."""
    import uvicorn

    config = uvicorn.Config(gate, log_level="critical", access_log=False, http="httptools")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    longer = seconds + every + STARTING
    plain = clients.start(port, TASKS, seconds=longer, routes=list(ROUTES))
    rough = start_rough_clients(port, longer)
    await gate.in_use.wait()
    found = await sampled(gate, seconds, every)
    await asyncio.to_thread(clients.answers, plain)
    output, _ = await asyncio.to_thread(rough.communicate)
    server.should_exit = True
    await serving
    return Outcome(found, Counter(json.loads(output)))


def start_rough_clients(port: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.servers.rough", str(port), f"--seconds={seconds}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def soak(way: str, seconds: float, every: float, *, measured: bool) -> Outcome:
    from benchmarks.servers.soaking import Gate, exporting, soaked_application

    gate = Gate(soaked_application(measured=measured))
    over = {"calls": over_calls, "uvicorn": over_uvicorn}[way]
    if not measured:
        return await over(gate, seconds, every)
    with exporting() as exporters:
        scraping = asyncio.create_task(exporters.run(1.0))
        found = await over(gate, seconds, every)
        scraping.cancel()
    rows = Counter({row.name: row.count for row in report().rows})
    return Outcome(found.samples, rows + found.ends)


def soaked(way: str, seconds: float, every: float, measured: bool) -> Outcome:
    """Soak in this process, which has done nothing else."""
    work = soak(way, seconds, every, measured=measured)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def growth_of(samples: Sequence[tuple[int, int, int]]) -> RetainedGrowth | None:
    try:
        return retained_growth(samples)
    except StatisticsError:  # nearly all requests lie between two samples
        return None


def rows(way: str, samples: Sequence[Sample]) -> tuple[list[str], bool]:
    """Return rows of the table, and whether all that must be is flat."""
    found, all_flat = [], True
    half = [s for s in samples if 2 * s.requests >= samples[-1].requests]
    for figure in FIGURES:
        values = [getattr(s, figure) for s in half]
        growth = growth_of([(s.requests, getattr(s, figure), 0) for s in samples])
        if growth is None:
            slope, interval, verdict = "", "", "unknown: too few samples"
        else:
            slope = f"{growth.bytes_per_1000_calls:+,.1f}"
            interval = f"{growth.low:+,.1f} to {growth.high:+,.1f}"
            verdict = "grows" if growth.low > 0 else "flat"
        all_flat &= verdict == "flat" or figure not in JUDGED
        limits = (values[0], min(values), max(values), values[-1])
        cells = [way, figure, f"{samples[-1].requests:,}", *(f"{value:,}" for value in limits)]
        found.append(f"| {' | '.join([*cells, slope, interval, verdict])} |")
    return found, all_flat


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=4.0, help="each way")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two samples")
    parser.add_argument("--over", choices=WAYS, help="one way only; default: both")
    parser.add_argument(
        "--without", action="store_true", help="no library at all, to see what the rest needs"
    )
    parser.add_argument("--samples", type=Path, help="a file to write all samples to, as JSON")
    options = parser.parse_args()
    table, all_flat, written = [], True, {}
    kinds = []
    for way in [options.over] if options.over else WAYS:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context) as pool:
            outcome = pool.submit(
                soaked, way, 60 * options.minutes, options.every, not options.without
            ).result()
        written[way] = outcome.samples
        found, is_flat = rows(way, outcome.samples)
        table += found
        all_flat &= is_flat
        kinds.append((way, outcome.ends))
    print(machine())
    print(f"{options.minutes:g} minutes each; bytes over the latest half of the requests\n")
    print("| over | memory | requests | first | least | most | last | per 1,000 | 95 % | is |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---|")
    print(*table, sep="\n")
    for way, done in kinds:
        print(f"\n{way}:", ", ".join(f"{number:,} {kind}" for kind, number in done.items()))
    if options.samples:
        options.samples.write_text(json.dumps(written), encoding="utf-8")
    return int(not all_flat)


if __name__ == "__main__":
    sys.exit(main())
