"""Making the report of a process, printing it and saving it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter._core.own import OWN
from allocmeter._core.scopes_at_exit import close_open_scopes
from allocmeter.cli._output import OutputError, replacing
from allocmeter.registry import Registry
from allocmeter.renderers.text import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.launcher.options import Options
    from allocmeter.launcher.program import Program
    from allocmeter.launcher.sampling import Sampling
    from allocmeter.reports import Report

_STDERR = 2
_ATTEMPTS = 3
_REHEARSED = 100  # scopes, enough for every judgement on them
_LONGEST_WAIT = 5.0  # seconds, for whoever reads standard error


class Reporter:
    """Delivers the report of the process it is called in.

    Args:
        program: what is being run.
        options: where the report goes.
        sampling: where the timeline comes from, `None` without one.
    """

    def __init__(self, program: Program, options: Options, sampling: Sampling | None) -> None:
        self._program = str(program)
        self._options = options
        self._sampling = sampling

    def rehearse(self) -> None:
        """Load all that a report needs, by making one of scopes of our own.

        When it is due, files may be out of reach: a program may change its root directory or its
        user, or be in the middle of an import when SIGTERM arrives. And a module that makes data
        classes executes text, which lets the interpreter forget that it was interrupted.
        """
        with OWN:
            registry = Registry()
            for _ in range(_REHEARSED):
                with registry.measure("rehearsal"):
                    pass
            report = registry.report()
            self._text(report)
            report.to_json(indent=2)

    def begin_anew(self) -> None:
        """Forget, in a forked child, what its parent has measured and will report."""
        Registry.default.reset()
        if self._sampling is not None:
            self._sampling.restart()

    def deliver(self, is_forked: bool) -> None:
        """Print and save the report on this process. What goes wrong is said, never raised."""
        made: list[Report] = []
        steps: list[Callable[[], object]] = [
            self._stop_measuring,
            lambda: made.append(self._report()),
            lambda: self._print(made[-1], is_forked),
            lambda: self._save(made[-1], is_forked),
        ]
        with OWN:
            for _ in range(_ATTEMPTS):
                try:
                    while steps:
                        steps[0]()
                        del steps[0]
                except OutputError as error:
                    _say(f"allocmeter run: {error}\n")
                except Exception as error:  # noqa: BLE001 - the program ends as it would anyway
                    _say(f"allocmeter run: the report failed: {type(error).__name__}: {error}\n")
                except BaseException:  # noqa: BLE001, S112 - see below
                    # A signal came, and the program's handler for it raised: SystemExit, as a rule,
                    # or KeyboardInterrupt. Steps that are done are not done again.
                    continue
                return

    def _stop_measuring(self) -> None:
        if self._sampling is not None:
            self._sampling.stop()
        close_open_scopes()

    def _print(self, report: Report, is_forked: bool) -> None:
        if not self._options.quiet:
            heading = f"process {os.getpid()}, forked by {os.getppid()}\n" if is_forked else ""
            _say(f"\n{heading}{self._text(report)}\n")

    def _save(self, report: Report, is_forked: bool) -> None:
        if self._options.output is not None:
            with replacing(path_for(self._options.output, is_forked=is_forked)) as save:
                save(report.to_json(indent=2) + "\n")

    def _report(self) -> Report:
        samples = self._sampling.samples if self._sampling is not None else ()
        return replace(Registry.default.report(), program=self._program, timeline=samples)

    def _text(self, report: Report) -> str:
        width = None
        with suppress(OSError):
            width = os.get_terminal_size(_STDERR).columns or None
        return render(report, max_rows=self._options.top, width=width, sort=self._options.sort)


def path_for(output: str, *, is_forked: bool) -> str:
    """Return where this process saves its report.

    `%p` becomes the process id. Forked children write to a name of their own in any case: where
    there is no `%p` the id comes before the suffix.
    """
    if "%p" in output:
        return output.replace("%p", str(os.getpid()))
    if not is_forked:
        return output
    path = Path(output)
    return str(path.with_name(f"{path.stem}.{os.getpid()}{path.suffix}"))


def _say(text: str) -> None:
    """Write to standard error, below the objects of the program, which may be in any state.

    A signal may have come in the middle of a write to `sys.stderr`; the program may have replaced
    or closed it.
    """
    with suppress(Exception):
        sys.__stderr__.flush()  # type: ignore[union-attr]
    rest = text.encode("utf-8", "backslashreplace")
    with suppress(OSError):  # closed, or nobody reads
        while rest:
            try:
                rest = rest[os.write(_STDERR, rest) :]
            except BlockingIOError:
                import select

                if not select.select([], [_STDERR], [], _LONGEST_WAIT)[1]:
                    return
