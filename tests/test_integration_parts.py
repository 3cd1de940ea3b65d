"""The parts that several integrations are made of, each by itself."""

from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace

import anyio
import pytest

from allocmeter import Registry, decorator, measured
from allocmeter._core.figures import current_scope
from allocmeter.integrations import connections as connections_module
from allocmeter.integrations._aiohttp_requests import Requests
from allocmeter.integrations._import_hooks import ImportWatch
from allocmeter.integrations._patches import Patches
from allocmeter.integrations._served import NO_SCOPE
from allocmeter.integrations.connections import measure_connections
from standins import giving, raising


@pytest.fixture
def registry():
    return Registry()


# What integrations put in place


class Inheriting:
    pass


def test_what_was_inherited_is_inherited_again():
    patches = Patches()
    patches.apply(Inheriting, "__repr__", lambda was: lambda self: f"<{was is not None}>")
    assert repr(Inheriting()) == "<True>"
    patches.undo()
    assert "__repr__" not in vars(Inheriting)


def test_the_content_of_a_cell_is_replaced_and_put_back():
    content = 1

    def closure():
        return content

    (cell,) = closure.__closure__
    patches = Patches()
    for _ in range(2):
        patches.apply(cell, "cell_contents", lambda was: was + 1)
        assert closure() == 2
        patches.undo()
        assert closure() == 1
    patches.apply(cell, "cell_contents", lambda was: was + 1)
    content = 7  # somebody else's
    patches.undo()
    assert closure() == 7


@pytest.fixture
def watch(monkeypatch):
    """A watch for a module that the tests make; what it acted on is in `acted_on`."""
    name = "allocmeter_tests_module"
    acted_on = []
    watch = ImportWatch({name: acted_on.append})
    watch.name, watch.acted_on = name, acted_on
    yield watch
    watch.end()
    sys.modules.pop(name, None)


def test_a_module_that_is_there_is_acted_on_once(watch, monkeypatch):
    module = ModuleType(watch.name)
    monkeypatch.setitem(sys.modules, watch.name, module)
    watch.begin()
    assert watch.acted_on == [module]
    assert watch not in sys.meta_path
    watch.loaded(watch.name, module)
    assert watch.acted_on == [module]
    watch.end()


def test_a_module_that_is_imported_later_is_acted_on_then(watch, tmp_path, monkeypatch):
    (tmp_path / f"{watch.name}.py").write_text("value = 42")
    monkeypatch.syspath_prepend(tmp_path)
    watch.begin()
    watch.begin()
    assert sys.meta_path.count(watch) == 1
    module = __import__(watch.name)
    assert watch.acted_on == [module]
    assert watch not in sys.meta_path
    assert module.__spec__.loader is module.__loader__


def test_a_module_that_nobody_finds_is_not_found(watch, monkeypatch):
    class Old:
        """A finder from before there were specifications."""

    monkeypatch.setattr(sys, "meta_path", [Old(), *sys.meta_path])
    watch.begin()
    assert watch.find_spec("another") is None, "nobody waits for it"
    assert watch.find_spec(watch.name) is None
    assert watch.acted_on == []


def test_a_module_of_a_loader_of_the_old_kind_is_not_acted_on(watch, monkeypatch):
    spec = SimpleNamespace(loader=SimpleNamespace(load_module=print))
    finder = SimpleNamespace(find_spec=lambda *arguments: spec)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    watch.begin()
    assert watch.find_spec(watch.name) is spec
    assert spec.loader.load_module is print


# Handlers


def test_a_request_that_cannot_be_judged_is_not_measured_and_that_is_told(registry, caplog):
    requests = Requests(
        name=None,
        exclude=raising(OSError("out of order")),
        max_names=10,
        registry=registry,
        nested=False,
    )
    with caplog.at_level(logging.ERROR, "allocmeter"):
        assert requests.open({}) is NO_SCOPE
        assert requests.open({}) is NO_SCOPE
    (record,) = caplog.records
    assert record.getMessage().startswith("giving aiohttp requests a scope each failed")
    assert "out of order" in record.exc_text


@pytest.mark.anyio
async def test_a_function_that_is_only_marked_is_measured_from_its_call_on(
    registry, monkeypatch, anyio_backend
):
    for module, name in ((decorator, "is_marked"), (connections_module, "is_async")):
        monkeypatch.setattr(module, name, giving(True))
    scopes = []

    async def body():
        await anyio.lowlevel.checkpoint()
        scopes.append(current_scope().name)

    def marked():
        scopes.append(current_scope().name)
        return body()

    await measured("work", registry=registry)(marked)()
    await measure_connections(marked, "connection", registry=registry)()
    assert scopes == ["work", "work", "connection", "connection"]
    assert (registry.row("work").count, registry.row("connection").count) == (1, 1)
