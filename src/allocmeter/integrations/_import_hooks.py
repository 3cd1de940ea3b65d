"""Acting on modules when the program imports them, without importing them for it."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from threading import RLock
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Action = Callable[[ModuleType], None]

_FILE_LOADERS = (SourceFileLoader, SourcelessFileLoader)


class ImportWatch:
    """Calls an action for each of some modules: at once for those that are there, later otherwise.

    While some of them are missing it stands first in `sys.meta_path`. There it finds what the
    other finders find, and nothing of its own. Safe from any thread.

    Args:
        actions: what to call with a module once it has been executed, by its name. An action
            must not raise, and must bear being called again.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = dict(actions)
        self._missing: set[str] = set()
        self._lock = RLock()

    def begin(self) -> None:
        """Act on the modules that are loaded, and wait for the others."""
        with self._lock:
            self._missing = set(self._actions)
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
        # Only after that, or a module that another thread imports meanwhile would be missed.
        for name in self._actions:
            if name in sys.modules:
                self.loaded(name, import_module(name))  # waits if it is half way

    def end(self) -> None:
        """Wait no longer."""
        with self._lock:
            self._missing.clear()
            if self in sys.meta_path:
                sys.meta_path.remove(self)

    def loaded(self, name: str, module: ModuleType) -> None:
        """Act on a module, unless that is done or nobody waits for it any more."""
        with self._lock, OWN:
            if name not in self._missing:
                return
            self._missing.remove(name)
            self._actions[name](module)
            if not self._missing:
                self.end()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the finders after this one find, with an ear to its execution."""
        if fullname not in self._missing:
            return None
        for finder in tuple(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(fullname, path, target)
            if spec is not None:
                self._listen(spec)
                return spec
        return None

    def _listen(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        if type(loader) in _FILE_LOADERS:
            # Tools that only look at modules ask what type their loader is.
            loader.exec_module = _Listener(self, loader).exec_module
        elif hasattr(loader, "exec_module"):
            spec.loader = _Listener(self, loader)  # type: ignore[assignment]


class _Listener:
    """Stands in for a loader, or its part, until the module is executed."""

    def __init__(self, watch: ImportWatch, loader: Any) -> None:
        self._watch = watch
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module itself must not see that somebody listens.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        if type(self._loader) in _FILE_LOADERS:
            vars(self._loader).pop("exec_module", None)
        self._loader.exec_module(module)
        self._watch.loaded(module.__name__, module)
