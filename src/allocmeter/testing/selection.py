"""Which tests a run has selected: others of a baseline are gone, or were not asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    import pytest

# Options that leave out tests, or whole files, without a word about which.
_NARROWING = ("lf", "stepwise", "ignore", "ignore_glob", "pyargs")


class Selection:
    """Tells the tests of a baseline that are gone from those that this run left out.

    A test is gone if it lies in what the command line names, or in everything if that names
    nothing, and is neither run nor deselected there. If in doubt it is not.
    """

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self._is_narrowed = any(getattr(option, name, None) for name in _NARROWING)
        self._roots = [_node_prefix(config, argument) for argument in config.args]
        self._known: set[str] = set()
        self._uncollected: list[str] = []

    def add(self, tests: Iterable[str]) -> None:
        """Take note of tests that exist, by their node ids."""
        self._known.update(tests)

    def add_uncollected(self, node: str) -> None:
        """Take note of a file or class that failed, or was skipped, while it was collected."""
        self._uncollected.append(node)

    def has_lost(self, test: str) -> bool:
        """Tell whether a test of an earlier time is gone."""
        if self._is_narrowed or test in self._known:
            return False
        return _is_below(test, self._roots) and not _is_below(test, self._uncollected)

    def has_all_of(self, node: str, tests: Container[str]) -> bool:
        """Tell whether all tests of a node are known to be among these."""
        if self._is_narrowed or not _is_below(node, self._roots):
            return False
        if _is_below(node, self._uncollected):
            return False
        return all(test in tests for test in self._known if _is_below(test, [node]))


def _node_prefix(config: pytest.Config, argument: str) -> str:
    """Return what the node ids of the tests that an argument names begin with."""
    path, *inside = argument.split("::")
    full = Path(config.invocation_params.dir, path).resolve()
    try:
        place = full.relative_to(config.rootpath.resolve()).as_posix()
    except ValueError:
        # Above the root directory is all that is in it; elsewhere is nothing of it.
        place = "." if config.rootpath.resolve().is_relative_to(full) else full.as_posix()
    return "::".join([place.removeprefix("."), *inside])


def _is_below(test: str, nodes: Iterable[str]) -> bool:
    return any(
        not node or (test.startswith(node) and test[len(node) : len(node) + 1] in ("", *"/:["))
        for node in nodes
    )
