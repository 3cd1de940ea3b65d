"""The addresses that a test gets in its rounds: others each time, the same in each process."""

from __future__ import annotations

import json
import os

import pytest

from allocmeter.testing.scattering import scattered
from pytest_suites import Project, suite  # noqa: F401 - a fixture

POOL = 16 * 1024

# What was there before is other in each process.
SUITE = f"""
    import json, pathlib, random, string

    GIVEN = json.loads(pathlib.Path("given.json").read_text())
    SIZES = range(60, 460, 40)
    ADDRESSES, NUMBERS = [None] * 20, iter(range(20))
    GENERATOR = random.Random(GIVEN["seed"])
    BEFORE = [bytes(GENERATOR.randrange(500)) for _ in range(5_000)]
    del BEFORE[::3]

    def test_addresses():
        found = [bytes(size) for size in SIZES for _ in range(5)]
        ADDRESSES[next(NUMBERS)] = tuple(id(each) % {POOL} for each in found)

    def test_noted():
        pathlib.Path("addresses.json").write_text(json.dumps(ADDRESSES[1:5]))
"""

needs_pools = pytest.mark.skipif(
    os.environ.get("PYTHONMALLOC", "pymalloc") != "pymalloc", reason="another allocator"
)


@needs_pools
@pytest.mark.exact
def test_rounds_have_other_addresses_and_the_same_in_each_process(suite, monkeypatch):  # noqa: F811
    project = Project(suite, SUITE)
    found = []
    for seed in (1, 2, 3):
        monkeypatch.setenv("PYTHONHASHSEED", str(seed))
        assert project.run("--allocmeter-save", seed=seed) == 0, project.text
        found.append(json.loads((project.path / "addresses.json").read_text()))
    assert found[0] == found[1] == found[2]
    assert len({tuple(addresses) for addresses in found[0]}) == 4


@needs_pools
def test_what_was_taken_is_given_back():
    first = {id(block) for block in scattered(1)}
    again = {id(block) for block in scattered(1)}
    assert len(first & again) > len(first) / 2
