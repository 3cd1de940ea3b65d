"""What doctor finds where a trace function allocates in the scopes: its own words, not a zero.

Whatever coverage is to measure of doctor's experiments it measures here, being such a function.
"""

from __future__ import annotations

import sys

import pytest

from allocmeter._core import preload
from children import answer_of
from test_doctor import LOOPS, check_of, doctor
from tracing import coverage_variables

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is of Linux")

CHECKS = """
import json, sys
from allocmeter.doctor.isolation import check_tasks
from allocmeter.doctor.python_domain import check_python
"""
TRACE = "if sys.gettrace() is None:\n    sys.settrace(lambda *event: None)"


def says_that_it_is_traced(check):
    cause = "the trace function of a debugger or of coverage allocates inside the scopes"
    return (
        check["state"] == "failed"
        and check["reason"].endswith(f"; {cause}")
        and check["advice"] == "run without it"
    )


@linux_only
def test_every_exact_check_names_the_trace_function_and_the_others_go_on():
    status, answer = doctor(prelude=TRACE, LD_PRELOAD=preload.find(), **coverage_variables())
    for name in ("python", "native", *LOOPS):
        assert says_that_it_is_traced(check_of(answer, name)), name
    assert (status, answer["problems"]) == (1, ["python", "native", *LOOPS])
    assert check_of(answer, "finalizers")["state"] == "ok"
    assert check_of(answer, "python")["reason"].startswith("raw: ")
    assert "malloc: " in check_of(answer, "native")["reason"]


@linux_only
def test_a_process_started_for_the_native_domain_has_no_trace_function_but_coverage():
    variables = coverage_variables()
    status, answer = doctor("--require", "native", prelude=TRACE, **variables)
    native = check_of(answer, "native")
    if variables:
        assert says_that_it_is_traced(native)
    else:
        assert native["state"] == "ok"
        assert "in a process with the preload library" in native["reason"]
    assert status == 1, "for the python domain"


# In processes of their own: from 3.12 on, code that has run while it was traced allocates once more
# when it runs without.


def test_the_python_domain_is_not_exact_while_it_is_traced():
    code = f"{TRACE}\nprint(json.dumps(check_python().to_dict()))"
    assert says_that_it_is_traced(answer_of(CHECKS + code, **coverage_variables()))


@pytest.mark.parametrize("name", LOOPS)
def test_tasks_are_not_told_apart_exactly_while_they_are_traced(name):
    code = f"{TRACE}\nprint(json.dumps(check_tasks({name!r}).to_dict()))"
    assert says_that_it_is_traced(answer_of(CHECKS + code, **coverage_variables()))
