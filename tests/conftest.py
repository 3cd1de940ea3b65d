"""Fixtures and rules that every test shares."""

from __future__ import annotations

import asyncio
import sys

import pytest


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
    if sys.gettrace() is None:
        return
    skip = pytest.mark.skip(reason="a trace function allocates inside the scopes it observes")
    for item in items:
        if item.get_closest_marker("exact"):
            item.add_marker(skip)
