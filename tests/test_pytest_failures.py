"""What a failure tells: limit, figures, scopes, what is retained and what to do, wherever."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pytest_suites import ANYIO, RERUNS, XDIST, verdicts

SCOPES = """
    import pytest
    from allocmeter import measure, measured

    pytestmark = pytest.mark.anyio
    kept = []

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @measured("parse")
    async def parse(size):
        bytearray(size)

    @pytest.fixture
    def noise():
        with measure("of a fixture"):
            bytearray(1000)
        with measure("parse"):
            bytearray(1_000_000)

    @pytest.mark.limit_allocations(bytes="50 KiB", allocations=1)
    async def test_over(noise, allocations):
        for size in (9000, 10_000, 11_000):
            await parse(size)
        with measure("store"):
            kept.append(bytearray(100_000))
        with allocations.measure("rest\\n of it"):
            pass
"""


@pytest.mark.exact
def test_the_section_of_a_failure_says_why_and_what_to_do(suite):
    found = suite.run(SCOPES)["test_over"]
    assert found.text.splitlines()[0] == "test_over exceeds its allocation budget:"
    assert "  allocations: " in found.text
    assert ", and the limit is 1 (+" in found.text
    assert ", and the limit is 51,200 (50.0 KiB) (+" in found.text
    (section,) = found.sections
    lines = section.splitlines()
    assert lines[0] == "Measured, without fixtures:"
    assert lines[2].startswith("  bytes        13")
    assert lines[2].endswith("limit 51,200 (50.0 KiB)")
    assert lines[3].startswith("  peak bytes   100,")
    assert "limit" not in lines[3]
    scopes = lines.index("By scope, with what is nested in it:")
    assert lines[scopes + 1].split()[:3] == ["store", "97.7", "KiB"]
    assert lines[scopes + 2].split()[:3] == ["parse", "29.5", "KiB"]
    assert "allocations, 3 calls, the largest 1" in lines[scopes + 2]
    # To within 1/32, and not the megabyte that a fixture's had.
    largest = float(lines[scopes + 2].split()[-2])
    assert 11_000 / 1024 <= largest <= 11_100 / 1024 * 33 / 32
    assert lines[scopes + 2].endswith("KiB")
    assert lines[scopes + 3].startswith(r"  rest\n of it  0 B in 0 allocations, 1 calls")
    assert "of a fixture" not in section
    sizes = lines.index("By size of the blocks, in bytes:")
    assert lines[sizes + 1].startswith("  65,536 to 131,071  97.7 KiB in 1 allocations")
    assert lines[sizes + 2].startswith("  8,192 to 16,383    29.3 KiB in 3 allocations")
    assert "Retained when the function had returned: " in section
    (retained,) = (line for line in lines if line.startswith("Retained"))
    assert ", 100," in retained
    assert "(97." in retained
    assert "With rounds=3 the function is" in section
    assert f"raise the limit: allocations={found.figures[0]}, bytes={found.figures[1]}." in section


PLAIN = """
    import pytest

    class TestMethods:
        @pytest.mark.limit_allocations(bytes="50 KiB", peak=1)
        def test_over(self):
            bytearray(100_000)

        @pytest.mark.limit_allocations(bytes="150 KiB")
        def test_under(self):
            bytearray(100_000)

    def test_unmarked():
        pass

    @pytest.mark.no_leaks
    def test_leak(kept=[]):
        kept.append(bytearray(1000))
"""


def test_figures_and_limits_are_properties_in_junit_xml(suite):
    suite.run(PLAIN, "--junit-xml=out.xml", plugins=[])
    root = ET.parse(suite.pytester.path / "out.xml").getroot()
    properties = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in root.iter("testcase")
    }
    assert properties["test_unmarked"] == {}
    over = properties["test_over"]
    assert over.keys() == {
        "allocmeter.allocations", "allocmeter.bytes", "allocmeter.peak_bytes",
        "allocmeter.retained_allocations", "allocmeter.retained_bytes", "allocmeter.rounds",
        "allocmeter.exceeded.bytes", "allocmeter.exceeded.peak", "allocmeter.sizes",
    }  # fmt: skip
    assert int(over["allocmeter.bytes"]) > 100_000
    assert over["allocmeter.exceeded.bytes"] == "51200"
    assert over["allocmeter.exceeded.peak"] == "1"
    assert over["allocmeter.sizes"].startswith("65536-131071: 1 blocks, 100")
    assert "allocmeter.exceeded.bytes" not in properties["test_under"]
    assert properties["test_leak"]["allocmeter.leak"].startswith("leak: +")


def test_with_xdist_figures_and_failures_come_from_the_workers(suite):
    found = suite.run(PLAIN, "-n2", plugins=[XDIST])
    assert verdicts(found) == {
        "TestMethods::test_over": "failed",
        "TestMethods::test_under": "passed",
        "test_unmarked": "passed",
        "test_leak": "failed",
    }
    over = found["TestMethods::test_over"]
    assert over.properties["allocmeter.exceeded.bytes"] == 50 * 1024
    assert over.properties["allocmeter.bytes"] > 100_000
    assert over.properties["allocmeter.sizes"].startswith("65536-131071: 1 blocks, 100")
    assert "By size of the blocks, in bytes:" in over.sections[0]
    assert "What to do next:" in over.sections[0]
    assert "test_over exceeds its allocation budget" in suite.result.stdout.str()


RERUN = """
    import pytest

    pytestmark = pytest.mark.anyio
    calls = dict.fromkeys(["sync", "async", "always"], 0)

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.limit_allocations(bytes="50 KiB")
    def test_sync():
        calls["sync"] += 1
        bytearray(100_000 if calls["sync"] == 1 else 1000)

    @pytest.mark.limit_allocations(bytes="50 KiB")
    async def test_async():
        calls["async"] += 1
        bytearray(100_000 if calls["async"] == 1 else 1000)

    @pytest.mark.limit_allocations(bytes="50 KiB")
    async def test_always():
        calls["always"] += 1
        bytearray(100_000)

    class TestMethods:
        @pytest.mark.limit_allocations(bytes="50 KiB")
        async def test_async(self):
            self.kept = getattr(self, "kept", [])
            self.kept.append(bytearray(100_000))
            assert len(self.kept) == 1

    def test_that_each_run_called_the_function_once():
        assert calls == {"sync": 2, "async": 2, "always": 3}
"""


@pytest.mark.parametrize("plugins", [[ANYIO, RERUNS], [ANYIO, RERUNS, XDIST]])
def test_a_test_that_is_run_again_is_measured_again(suite, plugins):
    options = ["--reruns=2", *(["-n1"] if XDIST in plugins else [])]
    found = suite.run(RERUN, *options, plugins=plugins)
    assert verdicts(found) == {
        "test_sync": "passed",
        "test_async": "passed",
        "test_always": "failed",
        "TestMethods::test_async": "failed",
        "test_that_each_run_called_the_function_once": "passed",
    }
    for name in ("test_sync", "test_async"):
        first, second = (outcome for run, outcome in suite.runs if run == name)
        assert first.outcome == "rerun"
        assert first.properties["allocmeter.exceeded.bytes"] == 50 * 1024
        assert second.properties["allocmeter.bytes"] < 50_000
        assert "allocmeter.exceeded.bytes" not in second.properties
    assert len([name for name, _ in suite.runs if name == "test_always"]) == 3


UNAVAILABLE = """
    import pytest

    @pytest.mark.limit_allocations(bytes="1 MiB")
    def test_whose_figures_are_lost():
        import tracemalloc
        from allocmeter import uninstall
        tracemalloc.stop()

    @pytest.mark.limit_allocations(bytes="1 MiB")
    def test_after_it():
        pass
"""


def test_figures_that_cannot_be_known_are_no_success(suite, monkeypatch):
    # tracemalloc is started first, so that stopping it takes the hooks away with it.
    monkeypatch.setenv("PYTHONTRACEMALLOC", "1")
    found = suite.run(UNAVAILABLE, plugins=[])
    assert verdicts(found) == {"test_whose_figures_are_lost": "failed", "test_after_it": "passed"}
    text = found["test_whose_figures_are_lost"].text
    assert "test_whose_figures_are_lost could not be measured: the figures of measure()" in text


def test_without_the_native_library_marked_tests_say_so(suite, monkeypatch):
    monkeypatch.setenv("ALLOCMETER_LIBRARY", "/nowhere")
    found = suite.run(PLAIN, plugins=[])
    assert found["test_unmarked"].outcome == "passed"
    text = found["TestMethods::test_under"].text
    assert "test_under could not be measured: ALLOCMETER_LIBRARY names '/nowhere'" in text
