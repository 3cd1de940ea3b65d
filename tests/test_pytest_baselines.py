"""Saving baselines and comparing with them."""

from __future__ import annotations

import json
import sys

import pytest

from pytest_suites import ANYIO, RERUNS, XDIST, Project, suite  # noqa: F401 - a fixture

# `blocks` and `size` say what the tests allocate.
SUITE = """
    import json, pathlib, pytest
    import anyio

    GIVEN = {"blocks": 1, "size": 1000} | json.loads(pathlib.Path("given.json").read_text())
    KEPT = [None] * 100
    SIZE, BLOCKS = GIVEN["size"], range(GIVEN["blocks"])

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    def allocate():
        for index in BLOCKS:
            KEPT[index] = b"x" * SIZE

    @pytest.mark.anyio
    async def test_async():
        await anyio.sleep(0)
        allocate()

    @pytest.mark.parametrize("word", ["a b", "é/[x]"])
    def test_plain(word):
        b"y" * SIZE * 2

    def test_another():
        b"z" * SIZE
"""


@pytest.fixture
def project(suite):  # noqa: F811
    return ChangeableProject(suite, SUITE, [ANYIO])


class ChangeableProject(Project):
    """A suite whose tests allocate what it is told, and whose baselines can be changed."""

    def change(self, name, **facts):
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | facts))


@pytest.mark.exact
def test_a_regression_of_one_block_is_found_and_named(project):
    """Five tests are the same, one allocates a block more, within and beyond the limits."""
    assert project.run("--allocmeter-save=main") == 0
    assert "saved 4 tests in .allocmeter/" in project.text
    before = project.saved("main")["test_async"]

    options = ("--allocmeter-compare=main", "--allocmeter-compare-fail=bytes:5%,allocations:0")
    assert project.run(*options) == 0, project.text
    assert "4 unchanged" in project.text
    assert "FAILED" not in project.text

    assert project.run(*options, "--allocmeter-save=later", blocks=2) == 1
    assert "3 unchanged, 1 changed" in project.text
    assert "FAILED  test_it.py::test_async: bytes " in project.text
    assert (
        f"FAILED  test_it.py::test_async: allocations {before['allocations']} -> "
        f"{before['allocations'] + 1} (+1, "
    ) in project.text
    assert project.text.count("FAILED") == 2
    assert "nothing was saved: tests grew by more than is allowed" in project.text
    assert not (project.directory / "later.json").exists()

    lax = ("--allocmeter-compare=main", "--allocmeter-compare-fail=allocations:1,bytes:2 KiB")
    assert project.run(*lax, blocks=2) == 0
    assert "FAILED" not in project.text
    assert project.run("--allocmeter-compare=main", blocks=2) == 0, "only said, not failed"
    assert "1 changed" in project.text


@pytest.mark.exact
def test_figures_are_exact_in_the_table_and_in_the_file(project):
    assert project.run("--allocmeter-save", "--allocmeter-top=2", "--allocmeter-sort=peak") == 0
    found = project.saved("0001")["test_plain[a b]"]
    assert found == {
        "allocations": 2,
        "bytes_allocated": 1033 + 2033,
        "peak_bytes": 1033 + 2033,
        "retained_allocations": 0,
        "retained_bytes": 0,
        "rounds": 5,
    }
    lines = project.text.splitlines()
    start = next(i for i, line in enumerate(lines) if "2 of 4 measured tests, by peak" in line)
    assert lines[start + 1].split() == ["bytes", "allocations", "peak", "retained", "test"]
    assert len(lines[start + 2 : lines.index(next(x for x in lines if "saved" in x))]) == 2


def test_numbers_are_given_one_after_the_other_and_the_latest_is_compared_with(project):
    for number in ("0001", "0002"):
        assert project.run("--allocmeter-save", "-k", "plain") == 0
        assert (project.directory / f"{number}.json").exists()
    assert project.run("--allocmeter-compare", "-k", "plain") == 0
    assert "allocmeter: comparing with" in project.text
    assert "/0002.json" in project.text
    assert project.run("--allocmeter-compare=1", "-k", "plain") == 0
    assert "/0001.json" in project.text


@pytest.mark.exact
def test_saving_a_subset_keeps_the_figures_of_the_rest(project):
    assert project.run("--allocmeter-save=main") == 0
    everything = project.saved("main")
    assert len(everything) == 4

    assert project.run("--allocmeter-save=main", "-k", "another") == 0
    assert "saved 1 test in" in project.text
    assert "keeps 3 tests that this run did not measure" in project.text
    assert project.saved("main") == everything

    assert project.run("--allocmeter-save=main", "test_it.py::test_another") == 0
    assert project.saved("main") == everything, "nor does naming tests forget others"


def test_vanished_and_new_tests_are_listed_and_nothing_fails(project):
    assert project.run("--allocmeter-save=main") == 0
    renamed = SUITE.replace("test_another", "test_renamed")
    options = ("--allocmeter-compare=main", "--allocmeter-compare-fail=allocations:0,bytes:0")
    assert project.run(*options, source=renamed) == 0, project.text
    assert "3 unchanged, 1 new, 1 vanished" in project.text
    assert "new  test_it.py::test_renamed" in project.text
    assert "vanished  test_it.py::test_another" in project.text

    assert project.run(*options, "-k", "plain", source=renamed) == 0
    assert "2 unchanged, 1 vanished, 1 of the baseline not measured now" in project.text

    assert project.run("--allocmeter-save=main", source=renamed) == 0
    assert set(project.saved("main")) == {
        "test_async",
        "test_plain[a b]",
        "test_plain[\\xe9/[x]]",
        "test_renamed",
    }


def test_what_did_not_pass_is_not_recorded_and_not_forgotten(project):
    assert project.run("--allocmeter-save=main", source=OUTCOMES) == 1
    assert set(project.saved("main")) == {"test_passes", "test_other"}
    failing = OUTCOMES.replace("def test_other(): pass", "def test_other(): assert 0")
    assert project.run("--allocmeter-save=main", source=failing) == 1
    assert set(project.saved("main")) == {"test_passes", "test_other"}, "it still exists"


OUTCOMES = """
    import pytest

    def test_passes(): pass
    def test_other(): pass
    def test_fails(): assert 0
    def test_skips(): pytest.skip()
    @pytest.mark.skip
    def test_is_skipped(): pass
    @pytest.mark.xfail
    def test_xfails(): assert 0
    @pytest.mark.xfail(strict=False)
    def test_xpasses(): pass
    @pytest.fixture
    def broken():
        yield
        assert 0
    def test_fails_after_it(broken): pass
"""


@pytest.mark.exact
def test_of_reruns_the_time_counts_that_passed(project):
    flaky = """
        runs = [0]

        def test_flaky():
            runs[0] += 1
            assert runs[0] == 3
            b"x" * runs[0] * 1000
    """
    options = ("--reruns=3", "--allocmeter-save=main")
    assert project.run(*options, source=flaky, plugins=(RERUNS,)) == 0, project.text
    assert project.saved("main")["test_flaky"]["bytes_allocated"] == 36 + 3033


@pytest.mark.slow
@pytest.mark.exact
def test_workers_of_xdist_are_compared_by_the_controller(project):
    plugins = ("anyio.pytest_plugin", XDIST)
    assert project.run("--allocmeter-save=main", "-n2", plugins=plugins) == 0, project.text
    assert len(project.saved("main")) == 4
    options = ("--allocmeter-compare=main", "--allocmeter-compare-fail=allocations:0", "-n2")
    assert project.run(*options, plugins=plugins, blocks=2) == 1
    assert project.text.count("FAILED  test_it.py::test_async: allocations") == 1
    assert project.text.count("of 4 measured tests, by bytes") == 1

    assert project.run(*options, "-k", "plain", plugins=plugins) == 0
    assert "2 unchanged, 2 of the baseline not measured now" in project.text


def test_an_interrupted_session_saves_nothing(project):
    source = "def test_one(): pass\ndef test_two(): raise KeyboardInterrupt\n"
    assert project.run("--allocmeter-save=main", source=source) == pytest.ExitCode.INTERRUPTED
    assert "nothing was saved: the session did not come to its end" in project.text
    assert not project.directory.exists()


def test_another_python_is_compared_with_only_if_it_is_named_and_then_with_a_warning(project):
    assert project.run("--allocmeter-save=main", "-k", "plain") == 0
    other = project.directory.parent / "linux-x86_64-cpython-3.5"
    project.change("main", python="cpython 3.5.1")
    project.directory.rename(other)

    assert project.run("--allocmeter-compare=main") == pytest.ExitCode.USAGE_ERROR
    assert "there is no baseline 'main' in .allocmeter/" in project.errors
    assert "or name one of these: linux-x86_64-cpython-3.5/main" in project.errors

    reference = "--allocmeter-compare=linux-x86_64-cpython-3.5/main"
    assert project.run(reference, "-k", "plain") == 0
    now = f"cpython {sys.version_info[0]}.{sys.version_info[1]}"
    assert f"warning: Python differs: cpython 3.5 in the baseline and {now} now" in project.text


@pytest.mark.exact
def test_the_smallest_figures_of_several_rounds_count(project):
    source = """
        calls = [0]

        def test_warms_up():
            calls[0] += 1
            if calls[0] == 1:
                b"x" * calls[0] * 5000
            b"x" * calls[0]
    """
    assert project.run("--allocmeter-save=main", "--allocmeter-rounds=3", source=source) == 0
    found = project.saved("main")["test_warms_up"]
    assert (found["bytes_allocated"], found["rounds"]) == (35, 3)

    assert project.run("--allocmeter-compare=main", source=source) == 0
    assert "the smallest figures of 3 rounds, this run of 5" in project.text
