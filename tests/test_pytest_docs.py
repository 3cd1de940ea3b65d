"""docs/pytest.md shows tests and what becomes of them; both are what one really gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_suites import verdicts

DOCS = Path(__file__).parents[1] / "docs" / "pytest.md"


def block(name):
    text = DOCS.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}: begin -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"there is no block called {name}"
    return found[1]


def without_figures(text):
    without = re.sub(r"[\d,.]+", "#", text)
    # How many sizes there are, and in which units, is a figure as well.
    return re.sub(r"(  # to # .*\n)+", "  # to #\n", without)


SUITES = {
    "budgets": {
        "test_round_trip": "passed",
        "test_two_at_once": "passed",
        "test_too_much": "failed",
    },
    "leaks": {"test_replaces": "passed", "test_keeps_a_little": "passed", "test_keeps": "failed"},
    "blocks": {"test_a_request": "passed", "test_goes_on": "failed"},
}


@pytest.mark.exact
@pytest.mark.parametrize("name", SUITES)
def test_the_tests_shown_end_as_the_text_says(suite, name):
    found = suite.run(block(name))
    for backend in ("asyncio", "trio"):
        shown = {
            test: outcome for test, outcome in found.items() if "[" not in test or backend in test
        }
        shown = {test.partition("[")[0]: outcome for test, outcome in shown.items()}
        assert verdicts(shown) == SUITES[name], suite.result.outlines


@pytest.mark.exact
def test_the_failure_shown_is_the_one_that_is_printed_up_to_the_figures(suite):
    suite.run(block("budgets"))
    assert without_figures(block("failure")) in without_figures(suite.result.stdout.str())


def test_both_soft_blocks_are_named(suite):
    text = suite.run(block("blocks"), "-k", "goes_on")["test_goes_on"].text
    assert "the block 'first' exceeds" in text
    assert "the block 'second' exceeds" in text


TUPLE = """
    import pytest

    @pytest.mark.limit_allocations(allocations=2)
    def test_two_blocks():
        bytes(1000)
"""


@pytest.mark.exact
def test_a_call_takes_the_blocks_that_the_text_says(suite):
    (found,) = suite.run(TUPLE).values()
    assert found.figures[0] == 2
