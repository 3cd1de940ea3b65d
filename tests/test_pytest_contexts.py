"""Figures of tests that set context variables: the same wherever the hashes put these."""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context

import pytest

from allocmeter import install, measure
from allocmeter.testing.contexts import clear, fill
from pytest_suites import Project, suite  # noqa: F401 - a fixture

# Two variables that share a place in the tree, but not the one below it, and one that is apart; all
# are where no other variable is, such as our own. What `hash` says is other in each process.
FOUND = """
    import itertools
    from contextvars import ContextVar, copy_context

    from allocmeter import measure

    def places(variable):
        folded = hash(variable) ^ hash(variable) >> 32
        return folded % 32, folded // 32 % 32

    def find(wanted):
        named = (ContextVar(f"variable {number}") for number in itertools.count())
        free = (variable for variable in named if places(variable)[0] not in TAKEN)
        return next(variable for variable in free if wanted(*places(variable)))

    with measure():
        TAKEN = {places(variable)[0] for variable in copy_context()}
    FIRST = find(lambda place, below: True)
    ROOT, BELOW = places(FIRST)
    SHARING = find(lambda place, below: place == ROOT and below != BELOW)
    APART = find(lambda place, below: place != ROOT)
    VARIABLES = {"first": FIRST, "sharing": SHARING, "apart": APART}
"""

SUITE = f"""{FOUND}
    import pytest

    NUMBERS = range(5)
    for variable in VARIABLES.values():
        variable.set(0)

    @pytest.fixture(autouse=True)
    def nothing_is_left():
        yield
        assert not [each for each in copy_context() if "filler" in each.name]

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param

    @pytest.fixture(params=["sharing", "apart"])
    def variable(request):
        return VARIABLES[request.param]

    def set_often(variable):
        for _ in NUMBERS:
            copy_context().run(variable.set, None)

    def test_sync(variable):
        set_often(variable)

    @pytest.mark.anyio
    async def test_async(variable):
        set_often(variable)

    @pytest.mark.xfail(strict=True)
    def test_fails(variable):
        raise ValueError
"""


@pytest.fixture
def found():
    """The variables, in this process."""
    names = {}
    exec("\n".join(line.removeprefix("    ") for line in FOUND.splitlines()), names)
    return names


def blocks_of_setting(first, second, *, filled):
    """Return what it takes to set the second in a context that has both."""

    def set_both():
        first.set(1)
        second.set(1)
        tokens = fill() if filled else []
        with measure() as scope:
            second.set(2)
        clear(tokens)
        return scope.stats.allocations, len(copy_context())

    return Context().run(set_both)


@pytest.mark.exact
def test_a_variable_costs_the_same_wherever_its_hash_puts_it(found):
    install()
    first, sharing, apart = found["FIRST"], found["SHARING"], found["APART"]
    without = [blocks_of_setting(first, each, filled=False) for each in (apart, sharing)]
    assert without[1][0] == without[0][0] + 1, "this is what is made even"
    filled = [blocks_of_setting(first, each, filled=True) for each in (apart, sharing)]
    assert filled[0] == filled[1]
    assert [variables for _, variables in filled] == [variables for _, variables in without]


@pytest.mark.exact
def test_the_figures_of_a_test_do_not_depend_on_places(suite):  # noqa: F811
    project = Project(suite, SUITE, ["anyio.pytest_plugin"])
    assert project.run("--allocmeter-save=main") == 0, project.text
    saved = project.saved("main")
    for test in ("test_sync[{}]", "test_async[asyncio-{}]", "test_async[trio-{}]"):
        sharing, apart = (saved[test.format(name)] for name in ("sharing", "apart"))
        assert sharing["allocations"] == apart["allocations"]
        assert "each" not in sharing, "it is so in every round"


def test_a_context_that_has_many_variables_is_left_as_it_is():
    def with_many():
        for number in range(500):
            ContextVar(f"variable {number}").set(number)
        return fill()

    assert Context().run(with_many) == []


def test_variables_that_another_context_was_given_stay_there():
    tokens = Context().run(fill)
    assert tokens
    clear(tokens)
