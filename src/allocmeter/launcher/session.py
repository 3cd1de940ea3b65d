"""From the command line to the program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from allocmeter.launcher.errors import LaunchError
from allocmeter.launcher.relaunch import relaunch, was_relaunched

if TYPE_CHECKING:
    from allocmeter.launcher.ending import Ending
    from allocmeter.launcher.options import Options
    from allocmeter.launcher.program import Program


def launch(program: Program, options: Options) -> NoReturn:
    """Run a program under measurement, in this process, and end it as the program ends.

    Where native memory is to be seen the process is first executed again with the preload library;
    until then nothing but checks is done.

    Raises:
        SystemExit: the program has ended.
        ProgramFailed: the program raised an exception.
        AllocmeterError: it could not be started.
    """
    is_second_stage = was_relaunched()
    program.check()
    _check_output(options)
    native = sys.platform == "linux" if options.native is None else options.native
    if native and not is_second_stage:
        from allocmeter._core import preload

        relaunch(preload.find())
    ending = _begin(program, options, native=native)

    from allocmeter.launcher.execution import execute

    execute(program, ending.disarm)


def _check_output(options: Options) -> None:
    if options.output is None:
        return
    from allocmeter.cli._output import replacing
    from allocmeter.launcher.reporting import path_for

    with replacing(path_for(options.output, is_forked=False)):
        pass


def _begin(program: Program, options: Options, *, native: bool) -> Ending:
    """Begin to measure, and to wait for the end."""
    from allocmeter._core.own import OWN
    from allocmeter.backend import backend_info
    from allocmeter.launcher.ending import Ending
    from allocmeter.launcher.reporting import Reporter
    from allocmeter.tracking import start_tracking

    with OWN:
        start_tracking()
        if native and (reason := backend_info().domains["native"]):
            raise LaunchError(
                f"native memory cannot be seen: {reason}. Nothing was run; --no-native does without"
            )
        sampling = None
        if options.timeline:
            from allocmeter.launcher.sampling import Sampling

            sampling = Sampling()
        reporter = Reporter(program, options, sampling)
        reporter.rehearse()
        if options.per_task:
            from allocmeter.integrations.tasks import instrument_tasks

            instrument_tasks()
        ending = Ending(reporter.deliver, reporter.begin_anew)
        ending.arm()
        if sampling is not None:
            sampling.attend()
    return ending
