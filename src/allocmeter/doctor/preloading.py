"""Whether the native domain is counted: in this process, or in one started for it."""

from __future__ import annotations

import os
import sys
from typing import Any

from allocmeter._core import preload
from allocmeter.doctor.checks import Check, SelfTestError
from allocmeter.doctor.explanation import explain
from allocmeter.errors import AllocmeterError, BackendUnavailableError

TIME_LIMIT = 60.0  # seconds

_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from allocmeter.doctor.native_domain import main; main()"
)
_USE_RUN = "start the program with `allocmeter run`"


def check_native() -> Check:
    """Say whether the native domain is counted exactly.

    A preload library that this process was started with, or should have been, has to work here.
    Without one the test is made in a process that is started with it.
    """
    from allocmeter.backend import backend_info, install

    try:
        install()
    except AllocmeterError as error:
        return Check("native", "missing", str(error))
    unseen = backend_info().domains["native"]
    asked_for = named_libraries()
    if unseen and (asked_for or preload.is_in_process()):
        return Check("native", "failed", *_why_without_effect(unseen, asked_for))
    if unseen:
        return _check_in_child()
    from allocmeter.doctor.native_domain import test_native

    try:
        return Check("native", "ok", f"{_counted(*test_native())} in this process")
    except (SelfTestError, AllocmeterError) as error:
        reason, advice = explain(str(error))
        return Check("native", "failed", reason, _before_ours() or advice)


def named_libraries() -> list[str]:
    """Return the preload libraries of this package that were asked for in this process.

    The environment that the process began with counts too: `allocmeter run` takes its own entry
    out of `os.environ`.
    """
    return [path for path in _entries() if os.path.basename(path).startswith(preload.STEM)]  # noqa: PTH119


def _entries() -> list[str]:
    """Return what LD_PRELOAD names, or named when the process was started."""
    values = [os.environ.get(preload.VARIABLE, "")]
    try:
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
            began_with = file.read().split(b"\0")
    except OSError:
        began_with = []
    prefix = f"{preload.VARIABLE}=".encode()
    values += [os.fsdecode(item[len(prefix) :]) for item in began_with if item.startswith(prefix)]
    entries = " ".join(values).replace(":", " ").split()
    return list(dict.fromkeys(entries))


def _why_without_effect(unseen: str, asked_for: list[str]) -> tuple[str, str]:
    if preload.is_in_process():
        return unseen, _before_ours() or _another_library(asked_for)
    reason = f"LD_PRELOAD names {asked_for[0]}, and it did not take effect: "
    if not os.path.isfile(asked_for[0]):  # noqa: PTH113
        return reason + "there is no such file", f"correct or unset LD_PRELOAD, or {_USE_RUN}"
    advice = (
        "see what it wrote to standard error then; it refuses libraries of another architecture, "
        "and all of them where a program has more rights than its user"
    )
    return reason + "the dynamic linker did not load it when the process was started", advice


def _another_library(asked_for: list[str]) -> str:
    try:
        if preload.find() not in asked_for:
            return f"unset LD_PRELOAD, or {_USE_RUN}"
    except BackendUnavailableError:
        pass
    return "use an interpreter that takes malloc from the C library"


def _before_ours() -> str:
    entries, ours = _entries(), named_libraries()
    before = entries[: entries.index(ours[0])] if ours else []
    if not before:
        return ""
    return f"put the preload library before {', '.join(before)} in LD_PRELOAD, or {_USE_RUN}"


def _check_in_child() -> Check:
    try:
        answer = _ask_child(preload.find())
    except BackendUnavailableError as error:
        return Check("native", "missing", str(error))
    except SelfTestError as error:
        return Check("native", "missing", f"a process with the preload library: {error}")
    if answer["error"]:
        return Check("native", "failed", *explain(answer["error"]))
    if answer["unseen"]:
        return Check("native", "missing", f"with the preload library too: {answer['unseen']}")
    counted = _counted(answer["blocks"], answer["bytes"])
    return Check(
        "native",
        "ok",
        f"works when started with `allocmeter run`, as this process was not: {counted} in a "
        "process with the preload library",
    )


def _counted(blocks: int, size: int) -> str:
    return f"{blocks} blocks, {size:,} bytes of malloc and its family: counted exactly"


def _ask_child(library: str) -> dict[str, Any]:
    import json
    import subprocess

    named = preload.preloading(library, os.environ.get(preload.VARIABLE))
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        child = subprocess.run(  # noqa: S603
            [sys.executable, *flags, "-c", _CHILD, json.dumps(sys.path)],
            env={**os.environ, preload.VARIABLE: named},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SelfTestError(f"no answer in {TIME_LIMIT:g} seconds") from None
    except OSError as error:
        raise SelfTestError(f"{sys.executable!r} cannot be started: {error.strerror}") from None
    lines = child.stdout.splitlines()
    try:
        answer: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        said = child.stderr.strip().splitlines()
        raise SelfTestError(
            f"it ended with status {child.returncode}" + (f": {said[-1]}" if said else "")
        ) from None
    if answer["unseen"]:
        # What the dynamic linker says when it refuses a library.
        refusals = [line for line in child.stderr.splitlines() if library in line]
        answer["unseen"] = refusals[0] if refusals else answer["unseen"]
    return answer
