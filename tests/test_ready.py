"""What `async with measure()` awaits, stepped by hand as an event loop's code might."""

from __future__ import annotations

import inspect

import pytest

from allocmeter import AllocationStats, measure


def test_it_hands_over_the_scope_once():
    scope = measure()
    entering = scope.__aenter__()
    assert inspect.isawaitable(entering)
    with pytest.raises(StopIteration) as stop:
        entering.send(None)
    assert stop.value.value is scope
    with pytest.raises(RuntimeError, match="already awaited"):
        entering.send(None)
    leaving = scope.__aexit__(None, None, None)
    with pytest.raises(StopIteration) as stop:
        leaving.send(None)
    assert stop.value.value is None


def test_it_can_be_iterated():
    scope = measure()
    with pytest.raises(StopIteration) as stop:
        next(scope.__aenter__().__await__())
    assert stop.value.value is scope
    assert list(scope.__aexit__(None, None, None)) == []


@pytest.mark.parametrize("end", ["close", "throw"])
def test_it_can_be_ended_instead(end):
    scope = measure()
    entering = scope.__aenter__()
    if end == "close":
        entering.close()
    else:
        with pytest.raises(ValueError, match="thrown"):
            entering.throw(ValueError("thrown"))
    with pytest.raises(RuntimeError, match="already awaited"):
        entering.send(None)
    assert scope.is_open  # entering was done by the call
    scope.__aexit__(None, None, None).close()
    assert scope.is_closed


def test_nobody_warns_of_one_that_is_dropped(recwarn):
    scope = measure()
    scope.__aenter__()
    scope.__aexit__(None, None, None)
    assert not recwarn.list


@pytest.mark.exact
@pytest.mark.anyio
async def test_nothing_of_it_falls_into_the_scope_or_the_one_around():
    async with measure() as around, measure() as scope:
        pass
    assert scope.stats == around.stats == AllocationStats()
