"""In a run of pytest that uses nothing of the plugin, nothing is loaded and nothing happens."""

from __future__ import annotations

from importlib.metadata import entry_points

from children import answer_of, output_of

LOADED = """
    import atexit, json, sys

    @atexit.register
    def say():
        ours = [name for name in sys.modules if name.startswith(("allocmeter", "_ctypes"))]
        print(json.dumps(sorted(ours)))

    import pytest
    pytest.main(["-p", "allocmeter.pytest_plugin", "-p", "no:cacheprovider", *sys.argv[1:]])
"""

OURS = [
    "allocmeter",
    "allocmeter._version",
    "allocmeter.pytest_plugin",
    "allocmeter.testing",
    "allocmeter.testing.options",  # what declares the options
]

UNUSED = """
    import sys
    import pytest

    @pytest.mark.parametrize("n", range(3))
    def test_plain(n):
        pass

    def test_that_nothing_was_loaded(request):
        loaded = {name for name in sys.modules if name.startswith("allocmeter")}
        assert loaded == set(OURS)
""".replace("OURS", repr(OURS))


def loaded_by(tmp_path, source, *options):
    module = tmp_path / "test_unused.py"
    module.write_text(source, "utf-8")
    return answer_of(
        LOADED, module, *options, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS=None
    )


def test_asking_for_the_version_loads_no_module_but_the_hooks(tmp_path):
    # From version 9 on, pytest does not even load plugins for that.
    assert set(loaded_by(tmp_path, "", "--version")) <= set(OURS)


def test_a_run_without_markers_loads_no_module_but_the_hooks(tmp_path):
    assert loaded_by(tmp_path, "def test_it(): pass") == OURS


def test_tests_without_markers_run_as_if_the_plugin_were_not_there(suite):
    found = suite.run(UNUSED, plugins=[])
    assert len(found) == 4
    for outcome in found.values():
        assert (outcome.outcome, outcome.properties) == ("passed", {})


def test_the_entry_point_names_the_module():
    (found,) = (one for one in entry_points(group="pytest11") if one.name == "allocmeter")
    assert found.value == "allocmeter.pytest_plugin"


def test_nothing_warns_of_the_package_if_it_was_imported_before_pytest(tmp_path):
    # As if installed from a wheel: the files of a distribution that has a plugin are rewritten.
    info = tmp_path / "installed-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text("[pytest11]\ninstalled = installed_plugin\n")
    info.joinpath("RECORD").write_text("allocmeter/__init__.py,,\ninstalled_plugin.py,,\n")
    tmp_path.joinpath("installed_plugin.py").write_text("")
    said = output_of(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import allocmeter, pytest
        pytest.main(["--co", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", sys.argv[1]])
        """,
        tmp_path,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD=None,
        PYTEST_ADDOPTS=None,
    )
    assert "no tests collected" in said
    assert "allocmeter" not in said
