"""`allocmeter doctor`: says what works here, by trying it out."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allocmeter.cli import Subparsers

EXIT_FAILED = 1
_STDERR = 2


def add_parser(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add the parser of this command and return it."""
    from allocmeter.doctor.capabilities import CAPABILITIES

    width = max(map(len, CAPABILITIES))
    known = "\n".join(f"  {name:<{width}}  {text}" for name, text in CAPABILITIES.items())
    parser = subparsers.add_parser(
        "doctor",
        help="say what can be measured here, and why not",
        description="Allocates blocks of known size in every allocator domain and in concurrent\n"
        "tasks, compares the figures with what they have to be, and says what works here,\n"
        "what does not and why, and what to do next. Versions, libraries and the\n"
        "environment follow.",
        epilog=f"capabilities:\n{known}\n\n"
        "A check is ok; or missing: it cannot be had here; or failed: its figures are wrong, or a\n"
        "preload library that was asked for did not take effect.\n\n"
        "examples:\n"
        "  allocmeter doctor\n"
        "  allocmeter doctor --require native,trio\n"
        "  allocmeter doctor --json > doctor.json\n\n"
        "exit status: 0, or 1 if a check failed or a required capability is missing (python\n"
        "always is required), or 2 for wrong arguments",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--require",
        type=_capabilities,
        action="extend",
        default=[],
        metavar="NAME[,NAME...]",
        help="exit with status 1 if one of these capabilities is missing (see below)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _capabilities(text: str) -> list[str]:
    from allocmeter.doctor.capabilities import CAPABILITIES

    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in CAPABILITIES:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no capability; the known ones are {', '.join(CAPABILITIES)}"
            )
    return names


def run(args: argparse.Namespace) -> int:
    """Print the diagnosis and return the exit status."""
    from allocmeter.cli._output import show
    from allocmeter.doctor.diagnosis import diagnose

    _occupy_standard_files()
    try:
        diagnosis = diagnose(args.require)
    except MemoryError:
        print(
            "allocmeter doctor: there is no memory left to look around with; see whether address "
            "space is limited (ulimit -v)",
            file=sys.stderr,
        )
        return EXIT_FAILED
    if args.json:
        import json

        show(json.dumps(diagnosis.to_dict(), indent=2))
    else:
        from allocmeter.doctor.text import render

        show(render(diagnosis))
    return EXIT_FAILED if diagnosis.problems else 0


def _occupy_standard_files() -> None:
    """Put the null device in the place of standard files that are closed.

    A file of uvloop's would take that place otherwise, and libuv ends a process for that.
    """
    import os

    while (file := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(file)
