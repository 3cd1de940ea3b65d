"""`allocmeter report`: shows a saved report as text, JSON or HTML."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from allocmeter.cli._arguments import whole_number
from allocmeter.errors import AllocmeterError
from allocmeter.report_order import SORT_KEYS

if TYPE_CHECKING:
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
        type=whole_number(1),
        metavar="N",
        help="show N rows in text and HTML, and sum up the others (default: all)",
    )
    parser.add_argument(
        "--sort", choices=SORT_KEYS, help="the order of the rows in text and HTML (default: bytes)"
    )
    parser.add_argument(
        "--width",
        type=whole_number(1),
        metavar="N",
        help="columns of the text (default: those of the terminal)",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Show the report and return the exit status."""
    from contextlib import ExitStack

    from allocmeter.cli._input import load_report
    from allocmeter.cli._output import replacing, show

    format_ = args.format or _format_of(args.output)
    _refuse_unused(args, format_)
    with ExitStack() as stack:
        save = stack.enter_context(replacing(args.output)) if args.output is not None else None
        text = _rendered(load_report(args.file), format_, args)
        if save is None:
            show(text)
        else:
            save(text + "\n")
    return 0


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
    if width is None and args.output is None and sys.stdout is not None and sys.stdout.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
    return text.render(report, max_rows=args.top, width=width, sort=sort)
