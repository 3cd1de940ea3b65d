"""A context's mapping tells the current scope, and leaving one may go back to that before it."""

from __future__ import annotations

import contextvars
import gc
import random

import pytest

from allocmeter import install, measure
from allocmeter._core.figures import current_scope
from blocks import untouched

VARIABLE = contextvars.ContextVar("of_the_program", default="nothing")
OTHER = contextvars.ContextVar("another_of_the_program", default="nothing")


@pytest.fixture(autouse=True)
def _installed():
    install()


def names_in(context):
    return {variable.name for variable in context}


def test_where_the_mapping_before_still_exists_leaving_goes_back_to_it():
    inherited = contextvars.Context()
    inherited.run(VARIABLE.set, "inherited")
    context, scope = inherited.copy(), measure()
    context.run(scope.__enter__)
    assert "allocmeter_scope" in names_in(context)
    context.run(scope.__exit__, None, None, None)
    assert "allocmeter_scope" not in names_in(context)  # as if nothing had been
    assert context.run(current_scope) is None
    assert context.run(VARIABLE.get) == "inherited"


def test_where_it_does_not_exist_any_more_leaving_sets_the_variable():
    context, scope = contextvars.Context(), measure()
    context.run(VARIABLE.set, "only here")
    context.run(scope.__enter__)
    context.run(scope.__exit__, None, None, None)
    assert context.run(current_scope) is None
    assert context.run(VARIABLE.get) == "only here"


@pytest.mark.parametrize("again", range(5))
def test_what_is_set_in_a_scope_stays_set(again):
    inherited = contextvars.Context()
    inherited.run(VARIABLE.set, "before")
    context, outer, inner = inherited.copy(), measure(), measure()

    def work():
        with outer:
            # A mapping that goes, and another one at its address.
            OTHER.reset(OTHER.set("for a moment"))
            for _ in range(again):
                VARIABLE.set("not for long")
            with inner:
                VARIABLE.set("in the scopes")
                assert current_scope() is inner
            assert current_scope() is outer
        assert current_scope() is None

    context.run(work)
    assert context.run(VARIABLE.get) == "in the scopes"
    assert context.run(OTHER.get) == "nothing"
    assert inherited.run(VARIABLE.get) == "before"


def test_a_copied_context_keeps_the_scope_that_its_origin_left():
    inherited = contextvars.Context()
    inherited.run(VARIABLE.set, "inherited")
    context, scope = inherited.copy(), measure()
    context.run(scope.__enter__)
    late = context.copy()
    context.run(scope.__exit__, None, None, None)
    assert context.run(current_scope) is None
    assert late.run(current_scope) is scope


@pytest.mark.exact
def test_a_scope_that_was_left_elsewhere_is_charged_no_more_where_it_was_entered():
    context, outer, scope = contextvars.Context(), measure(), measure()
    context.run(outer.__enter__)
    context.run(scope.__enter__)
    context.run(object)  # so that what is current there has been found out
    context.copy().run(scope.__exit__, None, None, None)
    before = outer.stats.allocations
    context.run(object)
    assert scope.late_stats.allocations == 0
    assert outer.stats.allocations == before + 1
    context.run(outer.__exit__, None, None, None)


@pytest.mark.exact
def test_nor_is_it_after_work_in_a_context_that_has_inherited_it():
    context, outer, scope = contextvars.Context(), measure(), measure()
    context.run(outer.__enter__)
    context.run(scope.__enter__)
    inherited = context.copy()
    context.copy().run(scope.__exit__, None, None, None)
    inherited.run(object)
    assert scope.late_stats.allocations == 1
    context.run(object)
    assert scope.late_stats.allocations == 1
    context.run(outer.__exit__, None, None, None)


def test_going_back_keeps_no_value_of_the_program_alive():
    class Value:
        gone = False

        def __del__(self):
            type(self).gone = True

    context, scope = contextvars.Context(), measure()
    context.run(VARIABLE.set, Value())
    context.run(scope.__enter__)
    context.run(VARIABLE.set, None)
    assert Value.gone
    context.run(scope.__exit__, None, None, None)
    assert context.run(VARIABLE.get) is None


def test_a_scope_that_nobody_leaves_goes_with_its_context():
    context, scope = contextvars.copy_context(), measure()
    context.run(scope.__enter__)
    scope_id, kept = id(scope), scope
    del scope
    gc.disable()
    try:
        assert context.run(current_scope) is kept
        del kept, context
        assert scope_id not in map(id, gc.get_objects())
    finally:
        gc.enable()


def test_mappings_that_the_collector_takes_apart_are_forgotten():
    class Node:
        pass

    for number in range(300):
        node, scope = Node(), measure()
        node.context = contextvars.copy_context()
        node.context.run(VARIABLE.set, node)
        node.context.run(scope.__enter__)
        node.context.run(untouched, 100)
        del node, scope
        if number % 10 == 0:
            gc.collect()
        fresh, other = contextvars.copy_context(), measure()
        fresh.run(other.__enter__)
        assert fresh.run(current_scope) is other
        fresh.run(other.__exit__, None, None, None)


@pytest.mark.exact
@pytest.mark.parametrize("seed", range(5))
def test_whatever_becomes_of_contexts_each_has_its_own_scope(seed):
    """Contexts are made, copied, changed and dropped, so that addresses serve many mappings."""
    chance = random.Random(seed)
    places = [(contextvars.Context(), [None]) for _ in range(20)]
    copied = []  # a scope that is left in a copy marks the origin, which has to live on
    for _ in range(4000):
        at = chance.randrange(20)
        context, entered = places[at]
        match chance.randrange(8):
            case 0 | 1:
                entered.append(measure())
                context.run(entered[-1].__enter__)
            case 2 if entered[-1] is not None:
                context.run(entered.pop().__exit__, None, None, None)
            case 3:
                context.run(chance.choice((VARIABLE, OTHER)).set, chance.random())
            case 4:
                places[at] = (contextvars.Context(), [None])
            case 5 if chance.random() < 0.3:
                copied.append(context)
                places[at] = (context.copy(), entered)
            case 6 if entered[-1] is not None:
                before = entered[-1].stats
                context.run(object)
                assert entered[-1].stats.allocations == before.allocations + 1
            case _:
                assert context.run(current_scope) is entered[-1]
    for context, entered in places:
        while entered[-1] is not None:
            context.run(entered.pop().__exit__, None, None, None)
        assert context.run(current_scope) is None
