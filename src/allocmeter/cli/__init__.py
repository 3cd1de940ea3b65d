"""The `allocmeter` command.

Each module in this package whose name has no leading underscore is a subcommand. It offers
`add_parser(subparsers)`, which describes its arguments, and `run(args) -> int`, which does the
work and returns the exit status. What they need is imported inside `run`: every command's module
is imported to parse any command line.
"""

from __future__ import annotations

import argparse
import pkgutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from allocmeter._version import __version__
from allocmeter.errors import AllocmeterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

EXIT_ERROR = 2
EXIT_INTERRUPTED = 128 + 2  # as a shell reports a process ended by SIGINT


class Command(Protocol):
    """What the module of a subcommand offers."""

    def add_parser(self, subparsers: Subparsers) -> argparse.ArgumentParser:
        """Add the subcommand's parser, with its arguments, and return it."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit status."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after the program's name; those of this process if not given.

    Returns:
        The exit status: 0, or 2 for an error with a message on standard error, or 130 after an
        interrupt, or what the subcommand says.

    Raises:
        SystemExit: by `argparse`, after `--help`, `--version` and for wrong arguments.
    """
    args = _parser().parse_args(argv)
    command = cast("Command", args.command)
    try:
        status = command.run(args)
        from allocmeter.cli._output import flush

        flush()
    except AllocmeterError as error:
        print(f"allocmeter: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt as interrupt:
        if type(interrupt) is not KeyboardInterrupt:
            raise  # that of the program which was run, for the interpreter to show
        print("allocmeter: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_ERROR  # whoever read our output has enough, as in `allocmeter ... | head`
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="allocmeter",
        description="Which task, request or endpoint of an async program allocates, peaks, "
        "retains or leaks memory: exactly, and cheaply enough to leave on.",
        epilog="example:\n  allocmeter demo --json report.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"allocmeter {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _commands():
        command.add_parser(subparsers).set_defaults(command=command)
    return parser


def _commands() -> Iterator[Command]:
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            yield cast("Command", import_module(f"{__name__}.{module.name}"))
