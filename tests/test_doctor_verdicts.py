"""What doctor makes of what its experiments have found, without the experiments."""

from __future__ import annotations

import errno
import sys

import pytest

from allocmeter import backend
from allocmeter.backend_state import BackendInfo
from allocmeter.doctor import (
    diagnosis,
    finalizers,
    isolation,
    known_blocks,
    preloading,
    python_domain,
)
from allocmeter.doctor.capabilities import CAPABILITIES
from allocmeter.doctor.checks import SelfTestError
from allocmeter.doctor.diagnosis import diagnose
from allocmeter.doctor.explanation import REPORT, explain
from standins import UNAVAILABLE, backend_says, giving, raising

# Explanations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "cause", "advice"),
    [
        ("wrapped", "another tool has hooked the allocators since", "start that tool before"),
        ("removed", "another tool has removed the allocator hooks", "leave that tool running"),
    ],
)
def test_a_difference_is_explained_by_what_became_of_the_hooks(
    monkeypatch, position, cause, advice
):
    backend_says(monkeypatch, hook_position=position, displaced_by="/lib/tool.so")
    reason, next_step = explain("off by one")
    assert reason.startswith(f"off by one; {cause}")
    assert reason.endswith(" (/lib/tool.so is called in their place)")
    assert next_step.startswith(advice)


def test_a_difference_that_nothing_explains_is_to_be_reported(monkeypatch):
    backend_says(monkeypatch, hook_position="on top")
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "getprofile", lambda: None)
    assert explain("off by one") == ("off by one", REPORT)
    monkeypatch.setattr(sys, "getprofile", lambda: print)
    assert explain("off by one")[1] == "run without it"


# The python domain ----------------------------------------------------------------------------


def test_an_exact_python_domain_is_told_with_what_was_counted(monkeypatch):
    backend_says(
        monkeypatch, hook_position="on top", domains={"python": "", "native": "not preloaded"}
    )
    monkeypatch.setattr(python_domain, "_test_all", giving((24, 1_234_567)))
    check = python_domain.check_python()
    assert (check.name, check.state, check.advice) == ("python", "ok", "")
    assert check.reason.startswith("24 blocks, 1,234,567 bytes of the raw, mem and obj allocators")
    assert check.reason.endswith("the hooks are on top")


def test_a_python_domain_that_is_not_seen_any_more_has_failed(monkeypatch):
    backend_says(monkeypatch, domains={"python": "the hooks are gone", "native": ""})
    monkeypatch.setattr(python_domain, "_test_all", giving((24, 1_234_567)))
    check = python_domain.check_python()
    assert (check.state, check.reason) == ("failed", "the hooks are gone")


@pytest.mark.parametrize(
    ("module", "experiment", "check"),
    [
        (python_domain, "_test_all", python_domain.check_python),
        (isolation, "_run_side_by_side", lambda: isolation.check_tasks("trio")),
        (finalizers, "_collect_in_scope", finalizers.check_finalizers),
        (backend, "install", preloading.check_native),
    ],
    ids=["python", "tasks", "finalizers", "native"],
)
def test_an_experiment_without_a_backend_is_missing(monkeypatch, module, experiment, check):
    monkeypatch.setattr(module, experiment, raising(UNAVAILABLE))
    found = check()
    assert (found.state, found.reason) == ("missing", "no library here")


def test_all_three_allocators_are_counted_block_by_block(monkeypatch):
    monkeypatch.setattr(known_blocks, "_differences", giving([]))
    blocks, size = python_domain._test_all()
    # Five new blocks for each allocator, and two that were given another size.
    assert (blocks, size) == (3 * 7, 3 * (100 + 70_000 + 511 + 64 + 3_000 + 300))


def test_tasks_that_are_told_apart_are_told_with_their_loop(monkeypatch):
    monkeypatch.setattr(isolation, "_run_side_by_side", giving(None))
    for name, loop in (("tasks", "asyncio"), ("uvloop", "uvloop"), ("trio", "trio")):
        check = isolation.check_tasks(name)
        assert check.state == "ok"
        assert check.reason.startswith(f"two {loop} tasks in 20 turns each")


def test_tasks_that_are_charged_what_they_should_be_are_told_apart(monkeypatch):
    monkeypatch.setattr(isolation._Task, "_compare", giving(None))
    assert isolation.check_tasks("tasks").state == "ok"


# Blocks of known size -------------------------------------------------------------------------


def none_left(*_arguments):
    return known_blocks.Address()


def test_an_allocator_without_memory_is_a_failed_experiment(monkeypatch):
    experiment = known_blocks.Experiment()
    with pytest.raises(SelfTestError, match="none_left: no memory"):
        experiment.allocate(none_left, (), 100)
    for status in (errno.ENOMEM, 0):  # 0, and yet no address
        with pytest.raises(SelfTestError, match="none_left: no memory"):
            experiment.allocate_into(with_status(status), (), 100)
    experiment._context.run(experiment._scope.__exit__, None, None, None)


def with_status(status):
    def allocate_into(_place):
        return status

    allocate_into.__name__ = "none_left"
    return allocate_into


def test_a_task_without_memory_is_a_failed_experiment(monkeypatch):
    genuine = known_blocks.function

    def function(library, name, result=known_blocks.Address):
        return none_left if name == "PyObject_Malloc" else genuine(library, name, result)

    monkeypatch.setattr(isolation, "function", function)
    check = diagnosis._check("tasks")
    assert check.state == "failed"
    assert "instead of" not in check.reason, "there are no figures to compare"


def test_native_blocks_in_a_process_that_does_not_see_them_are_a_failed_experiment(monkeypatch):
    monkeypatch.setattr(known_blocks.measure, "by_domain", giving({"native": None}))
    experiment = known_blocks.Experiment(with_lock=False)
    with pytest.raises(SelfTestError, match="the native domain is not seen in this process"):
        experiment.finish()


# Everything together --------------------------------------------------------------------------


def test_without_a_backend_nothing_is_tried(monkeypatch):
    refusal = dict.fromkeys(("python", "native"), "no library here")
    nothing = BackendInfo(
        False, "no library here", "not installed", refusal, None, *[0] * 7, False, 0
    )
    monkeypatch.setattr(backend, "backend_info", lambda: nothing)
    found = {check.name: check for check in diagnose().checks}
    assert {name: found[name].state for name in CAPABILITIES} == dict.fromkeys(
        CAPABILITIES, "missing"
    )
    assert found["python"].reason == "no library here"
    assert found["trio"].reason == "nothing can be counted here"
    assert diagnose().libraries["native"] == "none: no library here"
