"""What a request costs under load, beside what the same request costs alone.

Each server runs three times. Alone: one client sends one request after the other, route by route.
Alone with empty free lists: the same, with a garbage collection before each request. Under load:
many clients send requests to all routes at once, for some seconds; none may fail. The figures are
those of every single request, so the medians are exact; where a server has several workers, the
one that differs most is shown.

CPython keeps some dicts, lists, tuples and floats that were freed for the next ones: one that is
made of such a leftover is no allocation. Alone, a request finds what its forerunner left; under
load its neighbours may have taken that. It makes a difference for a route that holds many of them
while its neighbours run, as `/holding` does: that one has to lie between what it costs alone, and
what it costs alone when a garbage collection has given the leftovers back.

    $ python -m benchmarks.servers.exactness [--seconds 30] [--clients 200] [--server NAME ...]

Ends with status 1 where a median of bytes differs by more than 1 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.servers import clients, records
from benchmarks.servers.serving import SERVERS, machine, served
from benchmarks.servers.traffic import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.servers.serving import Server

MOST: Final = 0.01
WARM_UP: Final = 20  # requests to a route that each process forgets
Records = list[dict[str, records.Costs]]


def recorded(server: str, load: Callable[[Server], None], *, collected: bool = False) -> Records:
    """Run a server under a load, and return what its processes have written down."""
    with tempfile.TemporaryDirectory() as directory:
        env = {records.DIRECTORY: directory}
        if collected:
            env[records.COLLECTED] = "1"
        with served(server, "records", env=env) as running:
            load(running)
        return records.read(Path(directory))


def one_after_the_other(server: Server, requests: int) -> None:
    for route in ROUTES:
        clients.answers(clients.start(server.port, 1, each=requests, routes=[route]))


class Row(NamedTuple):
    """One route: medians of bytes and blocks."""

    server: str
    route: str
    requests: int
    alone: tuple[float, float]
    collected: tuple[float, float]
    loaded: tuple[float, float]

    def difference(self, quantity: int) -> float:
        """Return by how much more it is under load than alone, as a share."""
        return self.loaded[quantity] / self.alone[quantity] - 1

    def verdict(self) -> str:
        if abs(self.difference(0)) <= MOST:
            return "equal"
        low, loaded, high = self.alone[0], self.loaded[0], self.collected[0]
        if ROUTES[self.route].holds and low * (1 - MOST) <= loaded <= high * (1 + MOST):
            return "between"
        return "**different**"

    def cells(self) -> list[str]:
        found = [self.server, f"`{self.route}`", f"{self.requests:,}"]
        for quantity in range(2):
            figures = (self.alone, self.collected, self.loaded)
            found += [f"{figure[quantity]:,.0f}" for figure in figures]
            found.append(f"{self.difference(quantity):+.2%}")
        return [*found, self.verdict()]


def medians(costs: records.Costs) -> tuple[float, float]:
    return statistics.median(costs.bytes[WARM_UP:]), statistics.median(costs.blocks[WARM_UP:])


def of_one_worker(route: str, found: Records) -> records.Costs:
    """Return what the worker that the only client got has written down."""
    return max((costs[route] for costs in found if route in costs), key=lambda c: len(c.bytes))


def compare(server: str, alone: Records, collected: Records, loaded: Records) -> list[Row]:
    """Return a row for each route."""
    rows = []
    for route in ROUTES:
        base, empty = of_one_worker(route, alone), of_one_worker(route, collected)
        seen = [found[route] for found in loaded if route in found]
        warm = [costs for costs in seen if len(costs.bytes) > 2 * WARM_UP]
        if not warm:
            raise RuntimeError(f"{server} answered too few requests to {route}")
        requests = sum(len(costs.bytes) for costs in seen)
        of_workers = [
            Row(server, route, requests, medians(base), medians(empty), medians(costs))
            for costs in warm
        ]
        rows.append(max(of_workers, key=lambda row: abs(row.difference(0))))
    return rows


def examine(server: str, options: argparse.Namespace) -> list[Row]:
    requests = options.alone + WARM_UP

    def many(running: Server) -> None:
        process = clients.start(
            running.port, options.clients, seconds=options.seconds, routes=list(ROUTES)
        )
        clients.answers(process)

    def one(running: Server) -> None:
        one_after_the_other(running, requests)

    steps = []
    for what, load, collected in (
        ("alone", one, False),
        ("alone with empty free lists", one, True),
        ("under load", many, False),
    ):
        print(f"\r\033[K{server}: {what}", end="", file=sys.stderr, flush=True)
        steps.append(recorded(server, load, collected=collected))
    return compare(server, *steps)


HEADS: Final = (
    "server",
    "route",
    "requests under load",
    *(
        f"{quantity} {when}"
        for quantity in ("bytes", "blocks")
        for when in ("alone", "alone, lists empty", "under load", "difference")
    ),
    "bytes are",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="of load")
    parser.add_argument("--clients", type=int, default=200, help="at once")
    parser.add_argument("--alone", type=int, default=250, help="requests to each route alone")
    parser.add_argument("--server", action="append", choices=SERVERS, help="default: all")
    options = parser.parse_args()
    print(f"{options.clients} clients for {options.seconds:g} s; a failed request would end this\n")
    print(f"| {' | '.join(HEADS)} |")
    print(f"|---|---|{'---:|' * (len(HEADS) - 3)}---|", flush=True)
    rows = []
    for server in options.server or SERVERS:
        found = examine(server, options)
        print("\r\033[K", end="", file=sys.stderr, flush=True)
        for row in found:
            print(f"| {' | '.join(row.cells())} |", flush=True)
        rows += found
    judged = [row for row in rows if row.verdict() != "between"]
    for quantity, what in enumerate(("bytes", "blocks")):
        worst = max(judged, key=lambda row: abs(row.difference(quantity)))
        difference = f"{worst.difference(quantity):+.2%}"
        print(f"\nmost that {what} differ: {difference}, {worst.route}, {worst.server}")
    print(f"\n{machine()}")
    return int(any(row.verdict() == "**different**" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
