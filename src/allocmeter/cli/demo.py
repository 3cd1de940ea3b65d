"""`allocmeter demo`: measures a real server under load and says which endpoints misbehave."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from allocmeter.cli._arguments import whole_number

if TYPE_CHECKING:
    from allocmeter.cli import Subparsers

EXIT_FAILED = 1


def add_parser(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add the parser of this command and return it."""
    parser = subparsers.add_parser(
        "demo",
        help="measure a real asyncio server under load",
        description="Starts an asyncio server with seven endpoints that work on the standard "
        "library's source files, sends it requests from another process, measures each request, "
        "and says which endpoint leaks and which one has peaks far above its usual use. "
        "Ends after about ten seconds.",
        epilog="examples:\n"
        "  allocmeter demo\n"
        "  allocmeter demo --requests 500 --seed 7 --json report.json\n\n"
        "exit status: 0, or 1 if a request or the client failed, or 2 for wrong arguments",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", metavar="FILE", help="save the report as JSON")
    parser.add_argument(
        "--requests",
        type=whole_number(1, 1_000_000),
        default=3_000,
        metavar="N",
        help="how many requests to send (default: %(default)s)",
    )
    parser.add_argument(
        "--concurrency",
        type=whole_number(1, 500),
        default=32,
        metavar="N",
        help="how many requests are under way at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=1,
        metavar="N",
        help="chooses the files and the order of the requests (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=whole_number(1, 3_600),
        default=18,
        metavar="N",
        help="send no more requests after this time (default: %(default)s)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the demo, print what it found, and return the exit status."""
    import asyncio
    import gc

    from allocmeter.cli._output import replacing, show
    from allocmeter.demo.conclusion import conclude
    from allocmeter.demo.progress import Progress
    from allocmeter.demo.runner import DemoFailedError, DemoOptions, run_demo
    from allocmeter.registry import report
    from allocmeter.renderers.printable import printable

    options = DemoOptions(args.requests, args.concurrency, args.seed, args.seconds)
    with ExitStack() as stack:
        save = stack.enter_context(replacing(args.json)) if args.json is not None else None
        progress = Progress(None if args.quiet else sys.stderr, options.requests)
        try:
            outcome = asyncio.run(run_demo(options, progress))
        except (DemoFailedError, OSError) as error:
            print(f"allocmeter demo: {error}", file=sys.stderr)
            return EXIT_FAILED
        # Garbage in cycles and the interpreter's free lists are no leaks; a full collection
        # returns both.
        gc.collect()
        measured = report()
        show(conclude(measured, outcome))
        if save is not None:
            save(measured.to_json(indent=2) + "\n")
            show(f"\nThe report is saved in {printable(str(args.json), 1000)}.")
    return 0
