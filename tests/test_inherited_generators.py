"""A generator that is resumed where its scope is current already, by inheritance.

In processes of their own: at worst, a look-up of the current scope that never ends.
"""

from __future__ import annotations

from children import answer_of

STEPS = """
    import json
    from contextvars import Context, copy_context
    from allocmeter import measure

    scope, one = measure("generator"), Context()
    one.run(scope._open)
    one.run(scope._resume)
    two = one.run(copy_context)  # a task that the body has started
    one.run(scope._suspend)
"""


def test_it_may_be_closed_elsewhere_while_a_task_of_its_own_is_in_it():
    code = """
    two.run(scope._resume)
    Context().run(scope._suspend)
    two.run(bytearray, 10)
    print(json.dumps(scope.stats.allocations > 0))
    """
    assert answer_of(STEPS + code, timeout=60) is True


def test_what_its_tasks_do_afterwards_stays_late_work_when_it_is_suspended_there_again():
    code = """
    scope._close(None)
    two.run(scope._suspend)  # as the end of a generator's frame does
    before = scope.late_stats
    kept = two.run(bytes, 1000)
    print(json.dumps((scope.late_stats - before).bytes_allocated >= 1000))
    """
    assert answer_of(STEPS + code, timeout=60) is True
