"""`allocmeter compare`: what changed between two reports, and whether that is too much."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from allocmeter.cli._arguments import positive

if TYPE_CHECKING:
    from allocmeter.cli import Subparsers
    from allocmeter.limits import Limit
    from allocmeter.regressions import Violation
    from allocmeter.report_comparison import ReportComparison

EXIT_FAILED = 1

_EXPLANATION = """\
SPEC is a list of METRIC:LIMIT joined by commas, as in bytes:5%,allocations:0,retained:1KiB.
A limit is the growth that is still allowed, as a percentage of the baseline, as a plain number,
or, except for allocations, as a size in B, KiB, MiB or GiB. The metrics:

  bytes        bytes that one call allocates: the mean
  allocations  blocks that one call allocates: the mean; a plain number is compared with whole
               blocks
  peak         the most bytes that one call has alive at a time: the mean
  retained     bytes of all calls together that are alive when the report is made; fails too if
               the name leaks now and did not in the baseline

A stray call moves a mean. So the first three fail only if the minimum, the median or the 95th
percentile grew as well, by more than half of the limit, and the mean by more than a thousandth.
The 95th percentile by itself counts from 1,000 calls on or if the mean grew by more than 5%. With
fewer than 20 calls in either report, the minimum itself must have grown by more than the limit.
Growth of retained by up to 4 KiB is the interpreter's free lists and never fails. A new name has
no baseline: of its figures only retained is limited, from 0. A name that is gone never fails.

examples:
  allocmeter compare main.json branch.json
  allocmeter compare main.json branch.json --fail-on bytes:5%,allocations:1%,retained:4KiB

exit status: 0, or 1 if a limit was exceeded, or 2 for wrong arguments, for a file that cannot be
read or is no report, and for a limit on figures that the two reports do not both have"""


def add_parser(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add the parser of this command and return it."""
    parser = subparsers.add_parser(
        "compare",
        help="say what changed between two reports, and fail if it is too much",
        description="Compares two JSON reports of the same work, name by name: calls, bytes and\n"
        "allocations a call, peak, retained bytes, names that are new or gone, and new leaks.",
        epilog=_EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "baseline", metavar="BASELINE", help="the report of the earlier time; - for standard input"
    )
    parser.add_argument("current", metavar="CURRENT", help="the report of now")
    parser.add_argument(
        "--fail-on",
        type=_limits,
        default=(),
        metavar="SPEC",
        help="exit with status 1 if a name grew by more than a limit (see below)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="what to print (default: %(default)s)",
    )
    parser.add_argument(
        "--top",
        type=positive,
        metavar="N",
        help="show at most N changed names in the table; limits are checked for all",
    )
    return parser


def _limits(text: str) -> tuple[Limit, ...]:
    from allocmeter.limits import parse_limits

    try:
        return parse_limits(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> int:
    """Print how the reports differ and return whether a limit was exceeded."""
    from allocmeter.cli._input import STDIN, InputError, load_report
    from allocmeter.regressions import violations
    from allocmeter.report_comparison import compare_reports

    if args.baseline == args.current == STDIN:
        raise InputError("both reports cannot come from standard input; name a file for one")
    comparison = compare_reports(load_report(args.baseline), load_report(args.current))
    if args.format == "json":
        found = violations(comparison, args.fail_on)
        _print_json(comparison, args.fail_on, found)
    else:
        _print_text(comparison, args.top)
        # After the table, which says what can be compared where a limit cannot be.
        found = violations(comparison, args.fail_on)
        _print_outcome(args.fail_on, found)
    return EXIT_FAILED if found else 0


def _print_text(comparison: ReportComparison, top: int | None) -> None:
    from shutil import get_terminal_size

    from allocmeter.cli._output import flush, show
    from allocmeter.renderers.comparison import DEFAULT_WIDTH, render

    width = (
        get_terminal_size().columns
        if sys.stdout is not None and sys.stdout.isatty()
        else DEFAULT_WIDTH
    )
    show(render(comparison, max_rows=top, width=width))
    flush()


def _print_outcome(limits: tuple[Limit, ...], found: tuple[Violation, ...]) -> None:
    from allocmeter.cli._output import show
    from allocmeter.renderers.comparison import render_violations

    if found:
        show(f"\n{render_violations(found)}")
    elif limits:
        show(f"\nwithin the limits: {', '.join(map(str, limits))}")


def _print_json(
    comparison: ReportComparison, limits: tuple[Limit, ...], found: tuple[Violation, ...]
) -> None:
    import json
    from dataclasses import asdict

    from allocmeter.cli._output import show

    document = {
        **comparison.to_dict(),
        "limits": [str(limit) for limit in limits],
        "violations": [{**asdict(item), "limit": str(item.limit)} for item in found],
    }
    show(json.dumps(document, indent=2, allow_nan=False))
    if found:
        from allocmeter.renderers.comparison import render_violations

        print(render_violations(found), file=sys.stderr)
