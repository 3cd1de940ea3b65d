"""The command `allocmeter doctor`: arguments, output, exit status, and that each check can fail."""

from __future__ import annotations

import json
import sys

import pytest

import allocmeter
from allocmeter import AllocationStats, cli, measure
from allocmeter.backend_state import BackendInfo
from allocmeter.doctor import diagnosis, finalizers, isolation, known_blocks, surroundings, text
from allocmeter.doctor.capabilities import CAPABILITIES
from allocmeter.doctor.checks import Check
from allocmeter.doctor.diagnosis import Diagnosis, diagnose
from allocmeter.doctor.isolation import check_tasks
from allocmeter.doctor.python_domain import check_python
from children import run_child

LOOPS = ("tasks", "uvloop", "trio")


def doctor(*arguments, prelude="", **env):
    """Run the command in a child, after `prelude`; return its status and its JSON answer."""
    command = f"from allocmeter.cli import main; sys.exit(main({['doctor', '--json', *arguments]}))"
    child = run_child(f"import sys\n{prelude}\n{command}", **{"LD_PRELOAD": None, **env})
    assert "Traceback" not in child.stderr, child.stderr
    return child.returncode, json.loads(child.stdout)


def check_of(answer, name):
    (found,) = [check for check in answer["checks"] if check["name"] == name]
    return found


def diagnosis_of(*checks, required=(), **backend):
    return Diagnosis(
        checks=checks,
        required=frozenset(required),
        versions={"allocmeter": "1.0"},
        libraries={"native": "/a/library"},
        environment={},
        backend={
            **BackendInfo.missing("").to_dict(),
            "hook_position": "on top",
            "domains": {"python": "", "native": "not preloaded"},
            "finalizers_apart": True,
            **backend,
        },
    )


# The command ----------------------------------------------------------------------------------


def test_everything_that_is_supported_works_here():
    status, answer = doctor(*(["--require", ",".join(CAPABILITIES)] * (sys.platform == "linux")))
    expected = {name: "ok" for name in CAPABILITIES if name != "native" or sys.platform == "linux"}
    found = {check["name"]: check["state"] for check in answer["checks"]}
    assert found.items() >= expected.items()
    assert (status, answer["ok"], answer["problems"]) == (0, True, [])


def test_versions_libraries_and_the_backend_are_in_the_answer():
    _, answer = doctor(PYTHONTRACEMALLOC=1, ALLOCMETER_SOMETHING="x")
    assert set(answer["versions"]) >= {"allocmeter", "python", "system", "libc", "anyio", "trio"}
    assert answer["versions"]["python"].startswith("cpython 3.")
    assert "ABI" in answer["libraries"]["native"]
    assert answer["environment"]["PYTHONTRACEMALLOC"] == "1"
    assert answer["environment"]["ALLOCMETER_SOMETHING"] == "x"
    assert "HOME" not in answer["environment"]
    assert answer["backend"]["hook_position"] == "on top"


def test_an_unknown_capability_ends_with_status_2_and_lists_the_known_ones(capsys):
    for wrong in ("native,telepathy", "", "python,"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", "--require", wrong])
        assert ended.value.code == 2
        message = capsys.readouterr().err
        assert "is no capability" in message
        assert ", ".join(CAPABILITIES) in message


def test_the_help_explains_every_capability_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--help"])
    assert ended.value.code == 0
    output = capsys.readouterr().out
    for name, meaning in CAPABILITIES.items():
        assert f"  {name} " in output
        assert meaning in output
    assert "exit status: 0, or 1" in output


@pytest.mark.parametrize("arguments", [[], ["--json"]])
@pytest.mark.parametrize(
    ("state", "required", "status"),
    [("ok", ["trio"], 0), ("missing", [], 0), ("missing", ["trio"], 1), ("failed", [], 1)],
)
def test_the_status_is_1_for_what_failed_or_is_missing_though_required(
    monkeypatch, capsys, arguments, state, required, status
):
    def diagnosed(asked_for):
        return diagnosis_of(Check("trio", state, "because"), required=asked_for)

    monkeypatch.setattr(diagnosis, "diagnose", diagnosed)
    require = ["--require", ",".join(required)] if required else []
    assert cli.main(["doctor", *arguments, *require]) == status
    assert "because" in capsys.readouterr().out


def test_the_python_domain_is_always_required():
    assert diagnosis_of(Check("python", "missing", "because")).problems
    assert not diagnosis_of(Check("native", "missing", "because")).problems
    assert not diagnosis_of(Check("address space", "note", "because")).problems


def test_what_the_core_holds_and_who_displaced_it_is_shown():
    shown = text.render(
        diagnosis_of(
            displaced_by="tracemalloc",
            ledger_entries=2_105,
            ledger_bytes=708_608,
            open_scopes=1,
            scopes_kept=12,
            own_bytes=134_546,
            own_table_bytes=2_624,
        )
    )
    assert "displaced by   tracemalloc" in shown
    assert "ledger         2,105 blocks in 692 KiB" in shown
    assert "scopes         1 open, 12 kept" in shown
    assert "own memory     131 KiB in Python, 2.6 KiB in tables" in shown
    assert "own checks     all hold" in shown
    unknown = text.render(diagnosis_of(assertion_failures=2))
    assert "displaced by" not in unknown
    assert "0 blocks in an unknown size" in unknown
    assert "2 failed" in unknown


def test_each_check_is_one_line_with_its_mark_reason_and_advice():
    lines = text.render(
        diagnosis_of(
            Check("python", "ok", "counted"),
            Check("native", "missing", "not\nhere", "do this"),
            Check("trio", "failed", "wrong"),
            Check("address space", "note", "limited"),
            required=["native"],
        )
    ).splitlines()
    assert lines[1:5] == [
        "  ok       python         counted",
        "  missing  native         not here (required); do this",
        "  FAILED   trio           wrong",
        "  note     address space  limited",
    ]
    assert lines[-1] == "2 problem(s): native, trio"


# Each check can fail --------------------------------------------------------------------------


@pytest.mark.exact
@pytest.mark.parametrize("name", [*AllocationStats().to_dict(), "peak_bytes", "peak_allocations"])
def test_a_figure_of_the_python_domain_that_is_off_by_one_is_found(monkeypatch, name):
    assert check_python().state == "ok"
    real = known_blocks.figures_of

    def off_by_one(scope):
        figures = real(scope)
        return {**figures, name: figures[name] + 1}

    monkeypatch.setattr(known_blocks, "figures_of", off_by_one)
    check = check_python()
    assert check.state == "failed"
    assert f"raw: {name.replace('_', ' ')}: " in check.reason
    assert "report" in check.advice


@pytest.mark.parametrize("name", LOOPS)
def test_figures_of_the_whole_thread_are_no_figures_of_a_task(monkeypatch, name):
    class Threadwide(measure):
        @property
        def stats(self):
            return AllocationStats.capture()

    monkeypatch.setattr(isolation, "measure", Threadwide)
    tracking = allocmeter.is_tracking()
    allocmeter.start_tracking()
    try:
        check = check_tasks(name)
    finally:
        if not tracking:
            allocmeter.stop_tracking()
    assert check.state == "failed"
    assert "of two tasks, the" in check.reason


@pytest.mark.exact
@pytest.mark.parametrize("name", LOOPS)
def test_a_task_that_is_charged_one_byte_too_many_is_found(monkeypatch, name):
    assert check_tasks(name).state == "ok"
    readings = 0

    class Off(measure):
        @property
        def stats(self):
            nonlocal readings
            readings += 1
            return super().stats + AllocationStats(bytes_allocated=int(readings > 61))

    monkeypatch.setattr(isolation, "measure", Off)
    assert check_tasks(name).state == "failed"


def test_a_loop_that_is_not_installed_is_missing_and_says_how_to_get_it(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check = check_tasks("trio")
    assert (check.state, check.advice) == ("missing", "pip install trio")


def test_a_loop_that_cannot_be_imported_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "anyio", None)
    check = check_tasks("tasks")
    assert check.state == "missing"
    assert "anyio" in check.reason


def test_finalizers_that_are_charged_to_the_scope_around_are_found(monkeypatch):
    assert finalizers.check_finalizers().state == "ok"
    size = finalizers.SIZE
    for charged, apart in ((size, 0), (size, size), (0, 0), (0, size - 1)):
        monkeypatch.setattr(
            finalizers, "_collect_in_scope", lambda c=charged, a=apart: (c, a, True)
        )
        assert finalizers.check_finalizers().state == "failed"


def test_finalizers_that_cannot_be_told_apart_are_missing():
    prelude = "import allocmeter; allocmeter.install()\n"
    prelude += "from allocmeter._core import collector; collector.unwatch()"
    status, answer = doctor(prelude=prelude)
    assert (status, check_of(answer, "finalizers")["state"]) == (0, "missing")
    assert doctor("--require", "finalizers", prelude=prelude)[0] == 1


@pytest.mark.exact
def test_a_check_that_breaks_off_is_a_failure_and_the_others_go_on(monkeypatch):
    def broken(name):
        raise OSError("no more of it")

    monkeypatch.setattr(isolation, "check_tasks", broken)
    states = {check.name: check for check in diagnose().checks}
    assert states["trio"].state == "failed"
    assert "OSError: no more of it" in states["trio"].reason
    assert states["python"].state == "ok"


def test_a_diagnosis_for_which_there_is_no_memory_is_a_message(monkeypatch, capsys):
    def exhausted(required):
        raise MemoryError

    monkeypatch.setattr(diagnosis, "diagnose", exhausted)
    assert cli.main(["doctor"]) == 1
    assert "no memory left" in capsys.readouterr().err


def test_a_limited_address_space_is_noted(monkeypatch):
    resource = pytest.importorskip("resource")
    for limit, state in ((resource.RLIM_INFINITY, "ok"), (1 << 45, "ok"), (1 << 20, "note")):
        monkeypatch.setattr(resource, "getrlimit", lambda which, limit=limit: (limit, limit))
        (check,) = [check for check in surroundings.notes() if check.name == "address space"]
        assert check.state == state
