"""A scope is current where it was made current and not left, whatever happens elsewhere."""

from __future__ import annotations

import contextvars

import pytest

from allocmeter import backend_info, install, measure
from allocmeter._core.figures import current_scope


@pytest.fixture
def contexts():
    install()
    return [contextvars.copy_context() for _ in range(4)]


@pytest.fixture
def scope():
    scope = measure()
    scope._open()
    return scope


def test_left_in_another_context_it_is_current_in_neither(contexts, scope):
    entered, left, *_ = contexts
    entered.run(scope._resume)
    assert entered.run(current_scope) is scope
    left.run(scope._suspend)
    assert entered.run(current_scope) is None
    assert left.run(current_scope) is None


def test_resumed_elsewhere_it_does_not_come_back_where_it_was_left(contexts, scope):
    first, other, second, third = contexts
    first.run(scope._resume)
    other.run(scope._suspend)
    second.run(scope._resume)
    assert second.run(current_scope) is scope
    assert first.run(current_scope) is None
    third.run(scope._suspend)
    assert second.run(current_scope) is None
    scope._close(None)
    assert [context.run(current_scope) for context in contexts] == [None] * 4


@pytest.mark.exact
def test_what_is_allocated_after_such_a_change_is_charged_and_let_go(contexts):
    kept_before = backend_info().scopes_kept
    scope = measure()
    scope._open()
    first, other, second, _ = contexts
    first.run(scope._resume)
    other.run(scope._suspend)
    second.run(scope._resume)
    block = second.run(bytearray, 5_000)
    second.run(scope._suspend)
    scope._close(None)
    assert scope.retained_bytes >= 5_000
    del block
    assert scope.retained_bytes == 0
    contexts.clear()
    del first, other, second, _, scope
    assert backend_info().scopes_kept == kept_before
