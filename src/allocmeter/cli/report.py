"""`allocmeter report`: shows a saved report as text, JSON or HTML."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from allocmeter.errors import AllocmeterError, ReportFormatError
from allocmeter.report_order import SORT_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.cli import Subparsers
    from allocmeter.reports import Report

FORMATS = ("text", "json", "html")


def add_parser(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add the parser of this command and return it."""
    parser = subparsers.add_parser(
        "report",
        help="show a saved report as text, JSON or HTML",
        description="Shows a report that `allocmeter run -o`, `allocmeter demo --json` or "
        "Report.to_json() saved. The HTML is one file that needs no network.",
        epilog="examples:\n"
        "  allocmeter report report.json --top 20 --sort peak\n"
        "  allocmeter report report.json -o report.html\n\n"
        "exit status: 0, or 2 if the file cannot be read or is not a sound report",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the report's JSON; - for standard input")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="what to write (default: as the name of the output ends, else text)",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write to this file instead of standard output"
    )
    parser.add_argument(
        "--top",
        type=_positive,
        metavar="N",
        help="show N rows in text and HTML, and sum up the others (default: all)",
    )
    parser.add_argument(
        "--sort", choices=SORT_KEYS, help="the order of the rows in text and HTML (default: bytes)"
    )
    parser.add_argument(
        "--width",
        type=_positive,
        metavar="N",
        help="columns of the text (default: those of the terminal)",
    )
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def run(args: argparse.Namespace) -> int:
    """Show the report and return the exit status."""
    from contextlib import ExitStack

    from allocmeter.cli._output import replacing

    format_ = args.format or _format_of(args.output)
    _refuse_unused(args, format_)
    with ExitStack() as stack:
        save: Callable[[str], None] = _print
        if args.output is not None:
            save = stack.enter_context(replacing(args.output))
        save(_rendered(_load(args.file), format_, args) + "\n")
    return 0


def _load(file: str) -> Report:
    from allocmeter.cli._input import InputError, load_report
    from allocmeter.reports import Report

    if file != "-":
        return load_report(file)
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed")
    try:
        return Report.from_json(sys.stdin.buffer.read())
    except OSError as error:
        raise InputError(f"cannot read standard input: {error.strerror}") from error
    except ReportFormatError as error:
        raise ReportFormatError(f"standard input: {error}") from error


def _format_of(output: str | None) -> str:
    ending = (output or "").rpartition(".")[2].lower()
    return {"htm": "html"}.get(ending, ending if ending in FORMATS else "text")


def _refuse_unused(args: argparse.Namespace, format_: str) -> None:
    shaping = {"--top": args.top, "--sort": args.sort, "--width": args.width}
    unused = {"text": (), "html": ("--width",), "json": tuple(shaping)}[format_]
    for option in unused:
        if shaping[option] is not None:
            raise AllocmeterError(f"{option} has no meaning for {format_}; leave it out")


def _rendered(report: Report, format_: str, args: argparse.Namespace) -> str:
    sort = args.sort or "bytes"
    if format_ == "json":
        return report.to_json(indent=2)
    if format_ == "html":
        from allocmeter.renderers import html

        return html.render(report, max_rows=args.top, sort=sort).rstrip("\n")
    from allocmeter.renderers import text

    width = args.width
    if width is None and args.output is None and sys.stdout.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
    return text.render(report, max_rows=args.top, width=width, sort=sort)


def _print(text: str) -> None:
    # A terminal that cannot show a character gets a mark of the same width in its place.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
