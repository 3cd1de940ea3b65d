"""What doctor makes of the native domain, without the experiments and processes for it."""

from __future__ import annotations

import ctypes
import errno
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from allocmeter.doctor import known_blocks, native_domain, preloading
from allocmeter.doctor.checks import SelfTestError
from allocmeter.doctor.explanation import REPORT
from standins import UNAVAILABLE, backend_says, giving, raising

# The native domain ----------------------------------------------------------------------------


@pytest.fixture
def experiments(monkeypatch):
    """Stand-ins for the experiments: whatever is counted is right."""
    monkeypatch.setattr(known_blocks, "_differences", giving([]))
    monkeypatch.setattr(
        known_blocks.measure, "by_domain", lambda scope: {"native": scope.stats}, raising=True
    )
    monkeypatch.setattr(native_domain, "_test_raw_thread", giving(None))


def test_the_family_is_counted_function_by_function(experiments):
    blocks, size = native_domain.test_native()
    library = ctypes.CDLL(None)
    family = {n: size for n, size in native_domain._FUNCTIONS.items() if hasattr(library, n)}
    grown = family.keys() & {"realloc", "reallocarray"}
    # A thread's block too, and a block of 100 bytes for each function that makes blocks grow.
    assert blocks == 1 + len(family) + len(grown)
    assert size == 1_234_567 + sum(family.values()) + len(grown) * 100


def test_functions_that_the_c_library_does_not_have_are_left_out(experiments, monkeypatch):
    names = {"malloc": 1_000, "no_such_function": 10}
    monkeypatch.setattr(native_domain, "_FUNCTIONS", names)
    assert native_domain.test_native() == (2, 1_235_567)


def test_every_function_that_is_counted_wrong_is_named(experiments, monkeypatch):
    monkeypatch.setattr(known_blocks.Experiment, "finish", raising(SelfTestError("off by one")))
    monkeypatch.setattr(native_domain, "_FUNCTIONS", {"malloc": 1_000, "valloc": 300})
    monkeypatch.setattr(native_domain, "_test_raw_thread", raising(SelfTestError("unseen")))
    with pytest.raises(SelfTestError) as found:
        native_domain.test_native()
    assert str(found.value) == (
        "malloc: off by one; valloc: off by one; malloc on a thread without Python: unseen"
    )


@pytest.mark.parametrize(
    ("counted", "right"), [((1_234_567, 1_234_567), True), ((1_234_567, 0), False)]
)
def test_threads_without_python_are_counted_for_the_process(monkeypatch, counted, right):
    monkeypatch.setattr(native_domain, "_allocated_and_freed_on_raw_threads", giving(counted))
    if right:
        native_domain._test_raw_thread()
    else:
        with pytest.raises(SelfTestError, match="1,234,567 and 0 instead of 1,234,567 each"):
            native_domain._test_raw_thread()


def test_a_thread_that_cannot_be_started_is_a_failed_experiment(monkeypatch):
    def function(library, name, result=ctypes.c_void_p):
        return giving(errno.EAGAIN)

    monkeypatch.setattr(native_domain, "function", function)
    with pytest.raises(SelfTestError, match="no thread could be started"):
        native_domain._thread_runs("malloc", 100)


@pytest.mark.parametrize(
    ("unseen", "experiment", "expected"),
    [
        ("", giving((12, 345)), {"unseen": "", "error": "", "blocks": 12, "bytes": 345}),
        ("blind", giving((12, 345)), {"unseen": "blind", "error": "", "blocks": 0, "bytes": 0}),
        (
            "",
            raising(SelfTestError("off by one")),
            {"unseen": "", "error": "off by one", "blocks": 0, "bytes": 0},
        ),
        (
            "",
            raising(UNAVAILABLE),
            {"unseen": "", "error": "no library here", "blocks": 0, "bytes": 0},
        ),
    ],
)
def test_a_process_started_for_the_native_domain_answers(
    monkeypatch, capsys, unseen, experiment, expected
):
    backend_says(monkeypatch, domains={"python": "", "native": unseen})
    monkeypatch.setattr(native_domain, "test_native", experiment)
    native_domain.main()
    assert json.loads(capsys.readouterr().out) == expected


# The preload library --------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch):
    backend_says(monkeypatch, hook_position="on top", domains={"python": "", "native": ""})


def test_a_process_that_sees_native_blocks_is_tested_itself(seen, monkeypatch):
    monkeypatch.setattr(native_domain, "test_native", giving((12, 34_567)))
    check = preloading.check_native()
    assert check.state == "ok"
    assert check.reason.startswith("12 blocks, 34,567 bytes")
    assert check.reason.endswith("in this process")


@pytest.mark.parametrize(
    ("entries", "advice"),
    [
        (["/first.so", "/{stem}.so"], "put the preload library before /first.so in LD_PRELOAD"),
        (["/{stem}.so", "/last.so"], REPORT),
        ([], REPORT),
    ],
)
def test_native_figures_that_are_wrong_are_laid_to_a_library_before_ours(
    seen, monkeypatch, entries, advice
):
    paths = [entry.format(stem=preloading.preload.STEM) for entry in entries]
    monkeypatch.setattr(preloading, "_entries", lambda: paths)
    monkeypatch.setattr(native_domain, "test_native", raising(SelfTestError("off by one")))
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    check = preloading.check_native()
    assert (check.state, check.reason) == ("failed", "off by one")
    assert check.advice.startswith(advice)


@pytest.mark.parametrize(
    ("named", "is_in_process", "reason", "advice"),
    [
        ("{missing}", False, "there is no such file", "correct or unset LD_PRELOAD"),
        ("{file}", False, "the dynamic linker did not load it", "see what it wrote to standard"),
        ("{file}", True, "blind", "unset LD_PRELOAD, or start"),
        ("{ours}", True, "blind", "use an interpreter that takes malloc from the C library"),
        ("{broken}", True, "blind", "use an interpreter that takes malloc from the C library"),
    ],
)
def test_a_preload_library_without_effect_is_told_with_what_to_do(
    tmp_path, monkeypatch, named, is_in_process, reason, advice
):
    backend_says(monkeypatch, domains={"python": "", "native": "blind"})
    file = tmp_path / f"{preloading.preload.STEM}.so"
    file.touch()
    ours = tmp_path / f"{preloading.preload.STEM}-ours.so"
    path = named.format(missing=f"{file}.not", file=file, ours=ours, broken=ours)
    broken = raising(UNAVAILABLE)
    monkeypatch.setattr(preloading, "_entries", lambda: [path])
    monkeypatch.setattr(
        preloading.preload, "find", broken if named == "{broken}" else lambda: str(ours)
    )
    monkeypatch.setattr(preloading.preload, "is_in_process", lambda: is_in_process)
    check = preloading.check_native()
    assert check.state == "failed"
    assert reason in check.reason
    assert check.advice.startswith(advice)


def test_without_a_preload_library_nothing_is_started(monkeypatch):
    backend_says(monkeypatch, domains={"python": "", "native": "blind"})
    monkeypatch.setattr(preloading, "_entries", list)
    monkeypatch.setattr(preloading.preload, "is_in_process", lambda: False)
    monkeypatch.setattr(preloading.preload, "find", raising(UNAVAILABLE))
    check = preloading.check_native()
    assert (check.state, check.reason) == ("missing", "no library here")


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        ({"error": "", "unseen": "", "blocks": 12, "bytes": 34_567}, "ok", "12 blocks, 34,567"),
        ({"error": "", "unseen": "refused", "blocks": 0, "bytes": 0}, "missing", "too: refused"),
    ],
)
def test_the_answer_of_a_process_started_for_it_is_handed_on(monkeypatch, answer, state, reason):
    backend_says(monkeypatch, domains={"python": "", "native": "blind"})
    monkeypatch.setattr(preloading, "_entries", list)
    monkeypatch.setattr(preloading.preload, "is_in_process", lambda: False)
    monkeypatch.setattr(preloading.preload, "find", lambda: "/library.so")
    monkeypatch.setattr(preloading, "_ask_child", lambda library: answer)
    check = preloading.check_native()
    assert check.state == state
    assert reason in check.reason


def test_what_the_linker_said_when_it_refused_the_library_is_the_reason(monkeypatch):
    said = "nothing of it\nERROR: ld.so: object '/library.so' cannot be preloaded: ignored.\n"
    answer = json.dumps({"error": "", "unseen": "it is not in the process"})
    ended = SimpleNamespace(stdout=f"{answer}\n", stderr=said, returncode=0)
    monkeypatch.setattr(subprocess, "run", giving(ended))
    assert "cannot be preloaded" in preloading._ask_child("/library.so")["unseen"]
    ended.stderr = "nothing of it\n"
    assert preloading._ask_child("/library.so")["unseen"] == "it is not in the process"
