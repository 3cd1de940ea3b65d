"""The suites: how the tests of CPython and of the libraries are run."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processes import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CPYTHON = (
    "test_concurrent_futures",
    "test_asyncio",
    "test_io",
    "test_threading",
    "test_capi",
    "test_gc",
    "test_tracemalloc",
    "test_fork1",
    "test_weakref",
    "test_context",  # of contextvars
    "test_generators",
    "test_coroutines",
    "test_asyncgen",
    "test_json",
    "test_sqlite3",
)

_LONG = {"test_concurrent_futures", "test_asyncio", "test_io", "test_sqlite3"}
QUICK = tuple(module for module in CPYTHON if module not in _LONG)

LIBRARIES = {"trio": "0.35.0", "anyio": "4.16.0", "starlette": "1.10.0", "httpx": "0.28.1"}

# What the libraries' own test requirements name, without their tools for style and types.
REQUIREMENTS = (
    "pytest>=9.0",
    "astor",
    "async_generator",
    "black",
    "blockbuster",
    "brotli",
    "chardet",
    "click",
    "coverage",
    "cryptography",
    "h2",
    "httpx2",
    "hypothesis",
    "importlib-metadata",
    "itsdangerous",
    "jedi",
    "jinja2",
    "opentelemetry-sdk",
    "psutil",
    "pygments",
    "pylint",
    "pyopenssl",
    "pytest-mock",
    "pytest-timeout",
    "python-multipart",
    "pyyaml",
    "rich",
    "ruff",
    "socksio",
    "trustme",
    "truststore",
    "uvicorn",
    "uvloop",
    "zstandard",
)


@dataclass(frozen=True)
class Part:
    """What one process runs.

    Attributes:
        suite: `"cpython"`, or the name of a library.
        name: of the test module, or of the library again.
        directory: where it is run, `None` for any.
    """

    suite: str
    name: str
    directory: Path | None = None

    def arguments(self, report: Path, tests: Sequence[str] = ()) -> list[str]:
        """Return what follows the name of the interpreter.

        Args:
            report: the JUnit XML to write.
            tests: names of the only tests to run, as `results.read` gives them; none: all.
        """
        if self.suite == "cpython":
            only = [word for test in tests for word in ("-m", test)]
            options = ["-u", "cpu,subprocess,walltime", "--timeout", "600"]
            return ["-m", "test", *options, "--junit-xml", str(report), *only, self.name]
        options = ["-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
        where = ["trio" if self.suite == "trio" else "tests"]
        if tests:
            where = [self._node(test) for test in tests]
        if self.suite == "trio":
            where.insert(0, "--pyargs")
        return ["-m", "pytest", *options, f"--junit-xml={report}", *where]

    def _node(self, test: str) -> str:
        """Return what pytest calls a test; trio's are those of the installed package."""
        file, inside = test.split("::", 1)
        if self.suite == "trio":
            file = "trio." + file.removeprefix("trio/").removesuffix(".py").replace("/", ".")
        return f"{file}::{inside}"


def cpython_parts(modules: Iterable[str]) -> list[Part]:
    """Return a part for each test module."""
    return [Part("cpython", module) for module in modules]


def library_part(python: Path, name: str, cache: Path) -> Part:
    """Fetch the sources of a library, with its tests, and return the part that runs them."""
    stem = f"{name}-{LIBRARIES[name]}"
    directory = cache / "sources" / stem
    if not directory.exists():
        downloads = cache / "downloads"
        words = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", name]
        checked([python, *words, "-d", downloads, f"{name}=={LIBRARIES[name]}"])
        with tarfile.open(downloads / f"{stem}.tar.gz") as archive:
            archive.extractall(directory.parent, filter="data")
    return Part(name, name, directory)
