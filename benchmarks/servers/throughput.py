"""What measuring every request costs a server: requests per second, or CPU seconds per request.

Starlette in uvicorn (httptools, uvloop), once as it is, once with the hooks in place but no scope,
once with the middleware, once with tracemalloc. Each pair of runs starts new processes, which get
the same load in turns of a second or so, one way round and then the other; a ratio compares what
the processes of one pair did. The server has one CPU and the clients another. The load comes from
`wrk` if there is one.

    $ python -m benchmarks.servers.throughput [--pairs 7] [--route small|objects] [--cpu]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.servers import clients
from benchmarks.servers.serving import Server, machine, pin, served, two_cpus
from benchmarks.servers.traffic import OBJECTS, SMALL

SERVER: Final = "uvicorn-httptools-uvloop"
KINDS: Final = ("nothing", "hooks", "allocmeter", "tracemalloc")
ROUTES: Final = {"small": SMALL, "objects": OBJECTS}
LEAST: Final = 0.95
CONNECTIONS: Final = 32
HEADS: Final = (
    "route",
    "measured by",
    "requests/s",
    "CPU µs each",
    "throughput ratio",
    "throughput range",
    "CPU ratio",
    "CPU range",
)
_FOUND: Final = re.compile(r"(\d+) requests in .*?Requests/sec: +([\d.]+)", re.DOTALL)


class Work(NamedTuple):
    """What a server did: so many requests in so many seconds, in so much of a CPU's time."""

    requests: int
    seconds: float
    cpu_seconds: float

    def __add__(self, other: object) -> Work:
        if not isinstance(other, Work):
            return NotImplemented
        return Work(
            self.requests + other.requests,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
        )

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        return self.cpu_seconds / self.requests


def loaded(server: Server, route: str, seconds: float, cpu: int | None) -> Work:
    """Let clients send requests, and return what the server did."""
    before = server.cpu_seconds()
    if shutil.which("wrk"):
        requests, taken = _wrk(server.port, ROUTES[route].path, seconds, cpu)
    else:
        process = clients.start(
            server.port, CONNECTIONS, seconds=seconds, routes=[ROUTES[route].route]
        )
        pin(process.pid, cpu)
        answers = clients.answers(process)
        requests, taken = answers["requests"], answers["seconds"]
    return Work(requests, taken, server.cpu_seconds() - before)


def _wrk(port: int, path: str, seconds: float, cpu: int | None) -> tuple[int, float]:
    whole = max(1, round(seconds))
    command = f"wrk -t 1 -c {CONNECTIONS} -d {whole} http://127.0.0.1:{port}{path}"
    process = subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True)
    pin(process.pid, cpu)
    output, _ = process.communicate()
    found = _FOUND.search(output)
    if found is None or "errors" in output or "Non-2xx" in output:
        raise RuntimeError(f"requests failed: {output}")
    requests = int(found[1])
    return requests, requests / float(found[2])


def pair(route: str, turns: int, seconds: float, kinds: list[str]) -> dict[str, Work]:
    """Start one process of each kind, and give them the same load in turns."""
    cpu, clients_cpu = two_cpus()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(served(SERVER, kind, cpu=cpu)) for kind in kinds}
        for server in servers.values():
            loaded(server, route, seconds, clients_cpu)
        done = dict.fromkeys(servers, Work(0, 0.0, 0.0))
        order = list(servers)
        for _ in range(turns):
            for kind in order:
                done[kind] += loaded(servers[kind], route, seconds, clients_cpu)
            order.reverse()
    return done


class Ratios(NamedTuple):
    """What one kind did in each pair, beside nothing: 1 where it costs nothing."""

    throughput: list[float]
    cpu: list[float]


def ratios(kind: str, pairs: list[dict[str, Work]]) -> Ratios:
    return Ratios(
        [found[kind].rate / found["nothing"].rate for found in pairs],
        [found["nothing"].cost / found[kind].cost for found in pairs],
    )


def row(route: str, kind: str, pairs: list[dict[str, Work]]) -> str:
    """Return a row of the table."""
    cells = [
        f"`{ROUTES[route].path}`",
        kind,
        f"{statistics.median(found[kind].rate for found in pairs):,.0f}",
        f"{statistics.median(found[kind].cost for found in pairs) * 1e6:,.1f}",
    ]
    for found in ratios(kind, pairs):
        cells += [f"{statistics.median(found):.3f}", f"{min(found):.3f} to {max(found):.3f}"]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=7, help="processes started of each kind")
    parser.add_argument("--turns", type=int, default=4, help="of each process")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn")
    parser.add_argument("--route", choices=list(ROUTES), help="one only; default: both")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="judge CPU seconds per request, which busy neighbours disturb less",
    )
    parser.add_argument("--without", action="append", default=[], choices=("hooks", "tracemalloc"))
    parser.add_argument("--json", type=Path, help="where to write what each pair did")
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if kind not in options.without]
    rows, medians = [], []
    done: dict[str, list[dict[str, dict[str, float]]]] = {}
    for route in [options.route] if options.route else ROUTES:
        pairs = []
        for number in range(options.pairs):
            kinds.reverse()
            pairs.append(pair(route, options.turns, options.seconds, kinds))
            print(f"\r{route}: pair {number + 1} of {options.pairs}", end="", file=sys.stderr)
        print(file=sys.stderr)
        done[route] = [{kind: work._asdict() for kind, work in one.items()} for one in pairs]
        rows += [row(route, kind, pairs) for kind in sorted(kinds, key=KINDS.index)]
        found = ratios("allocmeter", pairs)
        medians.append(statistics.median(found.cpu if options.cpu else found.throughput))
    if options.json is not None:
        options.json.write_text(json.dumps(done), encoding="utf-8")
    print(machine())
    print(f"medians of {options.pairs} pairs; ratios to nothing: 1 is free, 0.5 half as fast\n")
    print(f"| {' | '.join(HEADS)} |")
    print(f"|---|---|{'---:|' * (len(HEADS) - 2)}")
    print(*rows, sep="\n")
    return int(min(medians) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
