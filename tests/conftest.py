"""Fixtures and rules that every test shares."""

from __future__ import annotations

import asyncio
import sys

import pytest

from pytest_suites import suite  # noqa: F401 - a fixture
from tracing import coverage_variables

# Modules whose tests run nothing of the library in this process, nor in children that coverage
# measures: it would only wait for them.
ELSEWHERE = frozenset(
    {
        "test_examples",
        "test_fork_and_exit",
        "test_hook_failures",
        "test_hooks",
        "test_native_programs",
        "test_native_selftest",
        "test_other_interpreters",
        "test_process_native",
    }
)


def _asyncio_backends():
    yield pytest.param(("asyncio", {}), id="asyncio")
    yield pytest.param(("asyncio", {"use_uvloop": True}), id="asyncio+uvloop")
    if sys.version_info >= (3, 12):
        yield pytest.param(("asyncio", {"loop_factory": _eager_loop}), id="asyncio+eager")


def _eager_loop():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


BACKENDS = [*_asyncio_backends(), pytest.param(("trio", {}), id="trio")]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request):
    return request.param


@pytest.fixture(params=list(_asyncio_backends()))
def asyncio_only(request):
    """For `anyio_backend` in tests of asyncio's own API."""
    return request.param


def pytest_collection_modifyitems(items):
    # A trace function allocates frame objects inside whatever scope is current.
    if sys.gettrace() is not None:
        reason = "a trace function allocates inside the scopes it observes"
        _skip(items, lambda item: item.get_closest_marker("exact"), reason)
    if coverage_variables():
        _skip(items, lambda item: item.path.stem in ELSEWHERE, "nothing that coverage measures")


def _skip(items, is_to_be_skipped, reason):
    for item in filter(is_to_be_skipped, items):
        item.add_marker(pytest.mark.skip(reason=reason))
