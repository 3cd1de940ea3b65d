"""Behaviors of RPCs with a scope around them, called as grpc calls them, but without it."""

from __future__ import annotations

import pytest

from allocmeter import Registry
from allocmeter._core.figures import current_scope
from allocmeter.integrations._grpc_behaviors import measuring
from allocmeter.integrations._served import ServedScopes

NAME = "/test.Test/method"


def outcome(registry):
    """Return how many calls there were, and how many of them failed and were cancelled."""
    row = registry.row(NAME)
    return row.count, row.errors, row.cancelled


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def measured(registry):
    served = ServedScopes("RPCs", registry=registry, nested=False)
    return lambda behavior, streaming: measuring(behavior, streaming, served, NAME)


# Streams that are made in threads


def counting(request, context):
    for number in range(request):
        context.append(current_scope().name)
        yield number


def test_a_stream_is_measured_at_each_of_its_steps_and_not_between_them(measured, registry):
    scopes, received = [], []
    for response in measured(counting, True)(3, scopes):
        received.append(response)
        assert current_scope() is None
    assert received == [0, 1, 2]
    assert scopes == [NAME] * 3
    assert outcome(registry) == (1, 0, 0)


def test_a_stream_that_cannot_be_made_is_an_error(measured, registry):
    def refuse(request, context):
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        measured(refuse, True)(3, [])
    assert current_scope() is None
    assert outcome(registry) == (1, 1, 0)


def test_what_is_no_stream_is_an_error(measured, registry):
    with pytest.raises(TypeError, match="not iterable"):
        measured(lambda request, context: request, True)(3, [])
    assert outcome(registry) == (1, 1, 0)


def test_a_stream_that_fails_on_its_way_is_an_error(measured, registry):
    def fail(request, context):
        yield "started"
        raise ValueError("on purpose")

    responses = measured(fail, True)(3, [])
    assert next(responses) == "started"
    with pytest.raises(ValueError, match="on purpose"):
        next(responses)
    assert current_scope() is None
    assert outcome(registry) == (1, 1, 0)


def test_a_stream_that_is_given_up_is_closed_in_its_scope(measured, registry):
    cleaned_up_in = []

    def go_on(request, context):
        try:
            while True:
                yield "more"
        finally:
            cleaned_up_in.append(current_scope().name)

    responses = measured(go_on, True)(3, [])
    assert next(responses) == "more"
    responses.close()
    assert cleaned_up_in == [NAME]
    assert current_scope() is None
    assert outcome(registry) == (1, 0, 1)


def test_a_stream_that_cannot_be_closed_is_left_when_it_is_given_up(measured, registry):
    responses = measured(lambda request, context: iter("abc"), True)(3, [])
    assert next(responses) == "a"
    responses.close()
    assert outcome(registry) == (1, 0, 1)


def test_a_stream_that_fails_while_it_is_closed_says_so_and_its_scope_ends(measured, registry):
    def fail(request, context):
        try:
            yield "started"
        finally:
            raise ValueError("on purpose")

    responses = measured(fail, True)(3, [])
    next(responses)
    with pytest.raises(ValueError, match="on purpose"):
        responses.close()
    assert current_scope() is None
    assert registry.row(NAME).count == 1


# Streams of the event loop


@pytest.mark.anyio
async def test_an_async_stream_is_measured_at_its_steps(measured, registry, anyio_backend):
    scopes = []

    async def count(request, context):
        for number in range(request):
            context.append(current_scope().name)
            yield number

    responses = measured(count, True)(3, scopes)
    assert [response async for response in responses] == [0, 1, 2]
    assert scopes == [NAME] * 3
    assert outcome(registry) == (1, 0, 0)


@pytest.mark.anyio
async def test_an_async_stream_that_fails_is_an_error(measured, registry, anyio_backend):
    async def fail(request, context):
        yield "started"
        raise ValueError("on purpose")

    responses = measured(fail, True)(3, [])
    assert await anext(responses) == "started"
    with pytest.raises(ValueError, match="on purpose"):
        await anext(responses)
    assert current_scope() is None
    assert outcome(registry) == (1, 1, 0)


@pytest.mark.anyio
async def test_an_async_stream_that_is_given_up_is_closed(measured, registry, anyio_backend):
    cleaned_up_in = []

    async def go_on(request, context):
        try:
            while True:
                yield "more"
        finally:
            cleaned_up_in.append(current_scope().name)

    responses = measured(go_on, True)(3, [])
    assert await anext(responses) == "more"
    await responses.aclose()
    assert cleaned_up_in == [NAME]
    assert outcome(registry) == (1, 0, 1)


# Single answers


@pytest.mark.anyio
async def test_a_coroutine_and_a_function_are_measured_and_their_failures_are_errors(
    measured, registry, anyio_backend
):
    async def answer(request, context):
        return current_scope().name

    async def fail(request, context):
        raise ValueError("on purpose")

    assert await measured(answer, False)(1, None) == NAME
    assert measured(lambda request, context: current_scope().name, False)(1, None) == NAME
    with pytest.raises(ValueError, match="on purpose"):
        await measured(fail, False)(1, None)
    assert outcome(registry) == (3, 1, 0)
