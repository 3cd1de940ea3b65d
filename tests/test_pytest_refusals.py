"""Malformed markers are usage errors that name the test, the mistake and what is right."""

from __future__ import annotations

import pytest

from pytest_suites import XDIST

MALFORMED = {
    "limit_allocations": "limits nothing: give allocations=, bytes= or peak=",
    "limit_allocations()": "limits nothing: give allocations=, bytes= or peak=",
    "limit_allocations(rounds=3)": "limits nothing: give allocations=, bytes= or peak=",
    "limit_allocations(allocs=5)": "got an unexpected keyword argument 'allocs'; it takes "
    "allocations, bytes, peak and rounds",
    "limit_allocations(1, 2, 3, 4, 5)": "too many positional arguments; it takes allocations, ",
    "limit_allocations(1, allocations=2)": "multiple values for argument 'allocations'",
    "limit_allocations(bytes='64 KB B')": "bytes: '64 KB B' is not a size; a size is a number and "
    "a unit, such as 512 B, 64 KiB or 1.5 MiB",
    "limit_allocations(bytes='')": "bytes: '' is not a size",
    "limit_allocations(bytes='-1 KiB')": "bytes: '-1 KiB' is not a size",
    "limit_allocations(bytes=-1)": "bytes must be 0 or more; got -1",
    "limit_allocations(bytes=1.5)": "bytes must be a number of bytes or a size such as '64 KiB', "
    "not float (1.5)",
    "limit_allocations(bytes=True)": "bytes must be an int, not bool (True)",
    "limit_allocations(bytes='99999999999 TiB')": "more than any memory holds",
    "limit_allocations(peak='lots')": "peak: 'lots' is not a size",
    "limit_allocations(peak=[])": "peak must be a number of bytes or a size",
    "limit_allocations('5')": "allocations must be an int, not str ('5')",
    "limit_allocations(-5)": "allocations must be 0 or more; got -5",
    "limit_allocations(5, rounds=0)": "rounds must be 1 or more; got 0",
    "limit_allocations(5, rounds='2')": "rounds must be an int, not str ('2')",
    "no_leaks(bytes=5)": "got an unexpected keyword argument 'bytes'; it takes max_bytes, "
    "max_allocations, iterations and warmup",
    "no_leaks(max_bytes='5 KB B')": "max_bytes: '5 KB B' is not a size",
    "no_leaks(max_allocations='5')": "max_allocations must be an int, not str ('5')",
    "no_leaks(iterations=0)": "iterations must be 1 or more; got 0",
    "no_leaks(warmup=-1)": "warmup must be 0 or more; got -1",
}


def test_every_malformed_marker_is_named_with_its_test(suite):
    source = "import pytest\n" + "".join(
        f"@pytest.mark.{marker}\n@pytest.mark.parametrize('n', [1, 2])\n"
        f"def test_it{number}(n): raise SystemExit\n"
        for number, marker in enumerate(MALFORMED)
    )
    stderr = ""
    # A run shows ten of them.
    for first in range(0, len(MALFORMED), 10):
        options = [
            f"test_it.py::test_it{number}"
            for number in range(first, min(first + 10, len(MALFORMED)))
        ]
        stderr += suite.errors(source, *options, plugins=[])
    lines = stderr.splitlines()
    for number, (marker, problem) in enumerate(MALFORMED.items()):
        name = marker.partition("(")[0]
        (line,) = (line for line in lines if f"::test_it{number}: " in line)
        assert f"test_it.py::test_it{number}: @pytest.mark.{name}: " in line
        assert problem in line


def test_of_many_malformed_markers_ten_are_shown(suite):
    source = "import pytest\n" + "".join(
        f"@pytest.mark.limit_allocations\nasync def test_it{number}(): pass\n"
        for number in range(13)
    )
    stderr = suite.errors(source)
    assert stderr.count("limits nothing") == 10
    assert "and 3 more" in stderr


def test_a_malformed_marker_of_a_class_or_module_is_refused_too(suite):
    source = """
        import pytest

        pytestmark = pytest.mark.no_leaks(5, 6, 7, 8, 9)

        class TestMethods:
            def test_it(self):
                raise SystemExit
    """
    assert "test_it.py::TestMethods::test_it: @pytest.mark.no_leaks: too many" in suite.errors(
        source
    )


def test_a_malformed_marker_of_a_test_that_is_not_selected_does_no_harm(suite):
    source = """
        import pytest

        @pytest.mark.limit_allocations
        def test_malformed():
            raise SystemExit

        def test_other():
            pass
    """
    assert suite.run(source, "-k", "other").keys() == {"test_other"}


@pytest.mark.parametrize("option", ["-n1", "-n2", "--dist=each", "--allocmeter"])
def test_malformed_markers_are_usage_errors_with_xdist_too(suite, option):
    source = """
        import pytest

        @pytest.mark.limit_allocations(byte=5)
        def test_it():
            raise SystemExit

        def test_other():
            raise SystemExit
    """
    options = ["--tx=popen", option] if option == "--dist=each" else ["-n1", option]
    said = suite.errors(source, *options, plugins=[XDIST])
    assert "test_it.py::test_it: @pytest.mark.limit_allocations: got an unexpected" in said
    assert "'byte'; it takes allocations, bytes, peak and rounds" in said
    assert said.count("got an unexpected") == 1


def test_the_markers_are_documented_where_pytest_lists_them(suite):
    suite.run("", "--markers", plugins=[])
    said = suite.result.stdout.str()
    assert (
        "@pytest.mark.limit_allocations(allocations=None, bytes=None, peak=None, rounds=1)" in said
    )
    assert "@pytest.mark.no_leaks(max_bytes=0, max_allocations=0, iterations=5, warmup=2)" in said
    suite.run("", "--fixtures", plugins=[])
    assert "Budgets and figures of blocks inside a test" in suite.result.stdout.str()
