"""Making this process look to a program as if the interpreter had started it."""

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any

from allocmeter.launcher.errors import LaunchError
from allocmeter.launcher.program import STDIN

if TYPE_CHECKING:
    from types import CodeType

    from allocmeter.launcher.program import Program


def enter(program: Program) -> tuple[CodeType, dict[str, Any]]:
    """Put `sys.argv`, `sys.path` and `sys.modules["__main__"]` in place for a program.

    The directory that the interpreter put first in `sys.path` for our command is gone already.
    For a module this imports the packages around it, which is a part of the program.

    Returns:
        Its code and the namespace to run it in, which is that of the new `__main__` module. The
        module stays in `sys.modules` until the process ends, so what the program defines can be
        pickled from an exit handler, too.

    Raises:
        LaunchError: there is no such module, or the file cannot be read.
        Exception: whatever the packages around a module raise, or `SyntaxError`.
    """
    first = "-m" if program.kind == "module" else program.target
    sys.argv[:] = ["-c" if program.kind == "code" else first, *program.arguments]
    main = ModuleType("__main__")
    namespace = vars(main)
    namespace.update(__builtins__=builtins, __loader__=BuiltinImporter)
    if sys.version_info < (3, 14):  # from then on made when it is asked for
        namespace["__annotations__"] = {}
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:  # multiprocessing's name for it, given when that is imported
        sys.modules["__mp_main__"] = main
    if program.kind == "module":
        _set_first_path(_current_directory())
        return _enter_module(program.target, namespace), namespace
    if program.is_importable:
        sys.path.insert(0, _absolute(program.target))  # in safe mode as well
        return _enter_directory(program.target, namespace), namespace
    if program.kind == "code":
        _set_first_path("")
        return _compile_code(program.target), namespace
    return _enter_script(program.target, namespace), namespace


def _set_first_path(directory: str | None) -> None:
    if directory is not None and not sys.flags.safe_path:
        sys.path.insert(0, directory)


def _current_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - as text, like everything in sys.path
    except OSError:  # it was removed
        return None


def _absolute(path: str) -> str:
    # As the interpreter does it: not normalised.
    return os.path.join(_current_directory() or "", path)  # noqa: PTH118


def _enter_module(name: str, namespace: dict[str, Any]) -> CodeType:
    import runpy

    # Private, but what the standard library's own tools (pdb, trace) find their modules with.
    code = _describe(runpy._get_module_details(name, LaunchError), namespace)  # type: ignore[attr-defined]  # noqa: SLF001
    sys.argv[0] = namespace["__file__"]
    return code


def _enter_directory(path: str, namespace: dict[str, Any]) -> CodeType:
    import runpy

    class NotFoundError(LaunchError):  # from 3.14 on it has to be a class
        def __init__(self, text: str) -> None:
            super().__init__(f"{path}: {text}")

    return _describe(runpy._get_main_module_details(NotFoundError), namespace)  # type: ignore[attr-defined]  # noqa: SLF001


def _describe(details: tuple[str, Any, CodeType], namespace: dict[str, Any]) -> CodeType:
    _, spec, code = details
    namespace.update(
        __file__=spec.origin,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    return code


def _enter_script(path: str, namespace: dict[str, Any]) -> CodeType:
    if path == STDIN:
        _set_first_path("")
        namespace.update(__file__="<stdin>", __cached__=None)
        return compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True)
    file = _absolute(path)
    _set_first_path(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120
    namespace.update(__file__=file, __cached__=None)
    try:
        with open(path, "rb") as script:  # noqa: PTH123
            source = script.read()
    except OSError as error:
        raise LaunchError(f"cannot read {path}: {error.strerror}") from error
    from importlib.util import MAGIC_NUMBER

    if source.startswith(MAGIC_NUMBER):
        compiled = SourcelessFileLoader("__main__", file)
        namespace["__loader__"] = compiled
        code = compiled.get_code("__main__")
        assert code is not None
        return code
    namespace["__loader__"] = SourceFileLoader("__main__", file)
    return compile(source, file, "exec", dont_inherit=True)


def _compile_code(source: str) -> CodeType:
    if sys.version_info >= (3, 13):  # from then on tracebacks show the lines of -c
        import linecache

        lines = [f"{line}\n" for line in source.splitlines()]
        linecache.cache["<string>"] = (len(source), None, lines, "<string>")
    return compile(source, "<string>", "exec", dont_inherit=True)
