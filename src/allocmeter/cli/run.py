"""`allocmeter run`: measures a program as it is."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from allocmeter.cli._arguments import positive
from allocmeter.report_order import SORT_KEYS

if TYPE_CHECKING:
    from allocmeter.cli import Subparsers
    from allocmeter.launcher.options import Options
    from allocmeter.launcher.program import Program

EXIT_ERROR = 2


def add_parser(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add the parser of this command and return it."""
    parser = subparsers.add_parser(
        "run",
        help="measure a program as it is",
        usage="allocmeter run [options] (-m MODULE | -c CODE | FILE) [ARGUMENTS ...]",
        description="Runs a program under measurement, each of its asyncio and trio tasks in a\n"
        "scope of its own, and prints a table to standard error when it ends: also when it ends\n"
        "by an exception, sys.exit(), Ctrl-C or SIGTERM. Forked children report on their own.\n"
        "Output, exit status and files are those of the program without us.",
        epilog="examples:\n"
        "  allocmeter run app.py --port 8000\n"
        "  allocmeter run -o report.json --timeline -m pytest tests\n"
        "  allocmeter run -q -o report-%p.json -m gunicorn -w 4 app:app\n\n"
        "Options come before the program; everything after it belongs to the program.\n\n"
        "exit status: the program's, or 2 with a message if it could not be started",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("program")
    kind = what.add_mutually_exclusive_group()
    kind.add_argument(
        "-m",
        dest="kind",
        action="store_const",
        const="module",
        help="run a module or package, as `python -m` does",
    )
    kind.add_argument(
        "-c", dest="kind", action="store_const", const="code", help="run code, as `python -c` does"
    )
    what.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="FILE",
        help="a script, a directory or archive with a __main__ module, or - for standard input",
    )
    parser.add_argument(
        "--native",
        action=argparse.BooleanOptionalAction,
        help="see the memory that C code allocates itself, by preloading a library "
        "(default on Linux)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="save the report as JSON; %%p in the name becomes the process id, which forked "
        "children put before the suffix otherwise",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print no report")
    parser.add_argument(
        "--per-task",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="give every task a scope named after its coroutine (default)",
    )
    parser.add_argument(
        "--top",
        type=positive,
        default=20,
        metavar="N",
        help="print so many rows of the table (default: %(default)s)",
    )
    parser.add_argument(
        "--sort",
        choices=SORT_KEYS,
        default="bytes",
        metavar="KEY",
        help=f"order the printed rows by {', '.join(SORT_KEYS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--timeline",
        action="store_true",
        help="sample live memory every 50 ms and save that with the report",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the program. Returns only if it could not be started, and then with status 2."""
    from allocmeter.errors import AllocmeterError

    # The directory of our command, or the current one: none of the program's. A module there that
    # has the name of one from the standard library must not run because we are there.
    removed = [] if sys.flags.safe_path else sys.path[:1]
    del sys.path[: len(removed)]
    try:
        from allocmeter.launcher.session import launch

        launch(_program(args), _options(args))
    except AllocmeterError as error:
        sys.path[:0] = removed
        print(f"allocmeter run: {error}", file=sys.stderr)
        return EXIT_ERROR


def _program(args: argparse.Namespace) -> Program:
    from allocmeter.launcher.errors import LaunchError
    from allocmeter.launcher.program import Program

    words: list[str] = args.program
    if words[:1] == ["--"] and args.kind is None:
        words = words[1:]
    if not words:
        raise LaunchError(
            "what is to be run? Name a FILE, or a module with -m, or code with -c; "
            "`allocmeter run --help` shows examples"
        )
    return Program(args.kind or "file", words[0], tuple(words[1:]))


def _options(args: argparse.Namespace) -> Options:
    import os

    from allocmeter.launcher.errors import LaunchError
    from allocmeter.launcher.options import Options

    if args.quiet and args.output is None:
        raise LaunchError("with -q and without -o FILE nobody would ever see the report")
    return Options(
        native=args.native,
        # The program may change its directory.
        output=None if args.output is None else os.path.abspath(args.output),  # noqa: PTH100
        quiet=args.quiet,
        per_task=args.per_task,
        top=args.top,
        sort=args.sort,
        timeline=args.timeline,
    )
