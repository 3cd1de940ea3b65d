"""Calls of a grpc.aio server: right figures under their method's name, whatever happens."""

from __future__ import annotations

import functools
import sys

import pytest

from children import answer_of
from tracing import coverage_variables

pytest.importorskip("grpc", reason="grpcio has no wheel for this interpreter")

LOOPS = ["asyncio", "uvloop", *(["eager"] if sys.version_info >= (3, 12) else [])]
CALLED = ["unary_unary", "unary_stream", "stream_unary", "stream_stream", "written"]


@functools.cache
def results(loop):
    # grpc tells of connections that end on its standard error.
    code = f"import grpc_calls; grpc_calls.run({loop!r})"
    return answer_of(code, GRPC_VERBOSITY="NONE", **coverage_variables())


@pytest.fixture(params=LOOPS)
def found(request):
    return results(request.param)


# The figures


@pytest.mark.exact
@pytest.mark.parametrize("called", CALLED)
def test_a_call_is_charged_for_its_own_blocks_and_none_of_its_neighbours(called, found):
    assert found["figures"][called]["right bytes"]
    assert found["figures"][called]["right peaks"]


@pytest.mark.exact
@pytest.mark.parametrize("called", CALLED)
def test_a_call_costs_beside_others_what_it_costs_alone(called, found):
    alone, beside = found["figures"][called]["typical"]
    assert beside == pytest.approx(alone, rel=0.01)


@pytest.mark.parametrize("called", CALLED)
def test_calls_of_every_kind_are_answered_and_counted_under_their_method(called, found):
    answer = ["done"] if called.endswith("unary") else ["started", "done"]
    assert found["figures"][called]["answers"] == [answer] * 3
    assert found["figures"][called]["outcomes"] == {f"/test.Test/{called}": [27, 0, 0]}


def test_plain_functions_are_measured_in_the_threads_where_grpc_runs_them(found):
    assert found["plain_functions"] == {
        "answers": {"block": ["70000"], "blocks": ["70000"] * 5, "fail": "NOT_FOUND"},
        "outcomes": {
            "/test.Test/block": [1, 0, 0],
            "/test.Test/blocks": [1, 0, 0],
            "/test.Test/fail": [1, 1, 0],
        },
        "blocks": {"block": 1, "blocks": 5},
    }


# The scope around


def test_the_scope_around_the_server_has_its_calls_if_they_are_nested(found):
    assert found["nesting"] == {"False": False, "True": True}


def test_with_instrumented_tasks_a_call_is_counted_once(found):
    assert found["instrumented"]["calls"] == 1
    assert found["instrumented"]["most of a task"] < 900_000 < found["instrumented"]["call"]


# The ends


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("fail", "UNKNOWN"),
        ("fail_in_stream", "UNKNOWN"),
        ("abort", "NOT_FOUND"),
        ("abort_in_stream", "NOT_FOUND"),
    ],
)
def test_a_call_that_fails_or_aborts_is_an_error_and_the_client_hears_of_it(method, answer, found):
    assert found["ends"]["outcomes"][f"/test.Test/{method}"] == [1, 1, 0]
    assert found["ends"]["answers"][method] == answer


@pytest.mark.parametrize("method", ["wait", "wait_in_stream", "go_on", "time_out"])
def test_a_call_that_the_client_gives_up_is_cancelled(method, found):
    assert found["ends"]["outcomes"][f"/test.Test/{method}"] == [1, 0, 1]


def test_a_stream_that_is_given_up_is_cleaned_up_in_its_scope(found):
    assert found["ends"]["cleaned up in"] == "/test.Test/go_on"


def test_methods_that_the_server_does_not_have_are_one_name(found):
    assert found["ends"]["answers"]["unknown"] == "UNIMPLEMENTED"
    assert found["ends"]["outcomes"]["(unmatched)"] == [20, 20, 0]


# The neighbours


def test_other_interceptors_find_behaviors_of_the_kind_that_they_were(found):
    assert found["exclusion"]["kinds"] == [
        "stream_stream generator",
        "stream_unary coroutine",
        "unary_stream generator",
        "unary_unary coroutine",
    ]


def test_what_is_excluded_is_not_measured(found):
    assert found["exclusion"]["names"] == [
        f"/test.Test/{kind}" for kind in ("stream_stream", "stream_unary", "unary_stream")
    ]


def test_a_failure_of_ours_is_logged_once_and_no_call_notices(found):
    failures = found["failures_of_ours"]
    done, started = ["done"], ["started", "done"]
    assert failures["answers"] == [done, started, done, started]
    assert (failures["unknown"], failures["names"]) == ("UNIMPLEMENTED", [])
    (complaint,) = failures["log"]
    assert complaint.startswith("giving RPCs a scope each failed")


def test_the_module_is_imported_without_grpc():
    assert not answer_of(
        """
        import json, sys
        import allocmeter.integrations.grpc
        print(json.dumps("grpc" in sys.modules))
        """
    )
