"""The JSON of a baseline: what each test allocated, and where.

`{"schema_version": 2, "kind": "allocmeter-baseline", "created_at", "allocmeter", "python",
"platform", "domains", "rounds", "tests": {NODE ID: figures…}}`, each test on a line of its own, so
that a baseline under version control shows which tests have changed. Version 1 had no rounds and,
in figures, no `each`: what varied was not known. Within a schema version fields are
added, never renamed; a reader ignores fields that it does not know and refuses a newer version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from allocmeter.checks import check_count, check_schema_version
from allocmeter.errors import ReportFormatError
from allocmeter.testing.figures import METRICS, TestFigures

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Final = 2
_KIND: Final = "allocmeter-baseline"
_FACTS: Final = ("created_at", "allocmeter", "python", "platform")
_FIGURES: Final = (*METRICS, "rounds")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The figures of tests at some time.

    Attributes:
        tests: the figures by node id.
        created_at: ISO 8601 in UTC.
        allocmeter: version of this library.
        python: implementation and version, such as `cpython 3.12.1`.
        platform: system and machine, such as `Linux x86_64`.
        domains: the allocator domains that were seen, such as `("python",)`.
        rounds: how often each test was called, if it could be and did not vary.
    """

    tests: Mapping[str, TestFigures]
    created_at: str
    allocmeter: str
    python: str
    platform: str
    domains: tuple[str, ...]
    rounds: int = 1


def write(baseline: Baseline) -> str:
    """Return a baseline as JSON text."""
    head = {"schema_version": SCHEMA_VERSION, "kind": _KIND}
    head |= {fact: getattr(baseline, fact) for fact in _FACTS}
    head |= {"domains": list(baseline.domains), "rounds": baseline.rounds}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    tests = ",\n  ".join(
        f"{json.dumps(test)}: {json.dumps(plain(figures))}"
        for test, figures in sorted(baseline.tests.items())
    )
    return "{\n" + "".join(f" {line},\n" for line in lines) + f' "tests": {{\n  {tests}\n }}\n}}\n'


def plain(figures: TestFigures) -> dict[str, Any]:
    """Return the figures of one test as JSON has them; `parsed` is the way back."""
    found: dict[str, Any] = {name: getattr(figures, name) for name in _FIGURES}
    if figures.each:
        found["each"] = {name: list(numbers) for name, numbers in figures.each.items()}
    return found


def read(text: str | bytes) -> Baseline:
    """Return the baseline that `write` was given.

    Raises:
        ReportFormatError: the text is damaged, is no baseline, or has a newer schema.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportFormatError(f"not a baseline: the text is no JSON ({error})") from error
    if not isinstance(data, dict) or data.get("kind") != _KIND:
        raise ReportFormatError("not a baseline: expected what --allocmeter-save wrote")
    check_schema_version("baseline", data.get("schema_version"), SCHEMA_VERSION)
    try:
        tests = {_text("node id", test): parsed(found) for test, found in data["tests"].items()}
        return Baseline(
            tests,
            **{fact: _text(fact, data[fact]) for fact in _FACTS},
            domains=tuple(_text("domain", domain) for domain in data["domains"]),
            rounds=_rounds(data, tests),
        )
    except KeyError as error:
        raise ReportFormatError(f"damaged baseline: the field {error} is missing") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ReportFormatError(f"damaged baseline: {error}") from error


def parsed(data: Any) -> TestFigures:
    """Return the figures that `plain` was given.

    Raises:
        KeyError: a figure is missing.
        TypeError: a figure is no number.
        ValueError: a figure is negative, or there are none where there should be some.
    """
    if not isinstance(data, dict):
        raise TypeError(f"the figures of a test must be an object, not {type(data).__name__}")
    numbers: dict[str, Any] = {name: check_count(name, data[name]) for name in _FIGURES}
    each = {
        name: _numbers(name, data["each"][name]) for name in METRICS if name in data.get("each", ())
    }
    return TestFigures(**numbers, each=each)


def _numbers(name: str, values: object) -> tuple[int, ...]:
    if not isinstance(values, list) or not values:
        raise TypeError(f"{name} of each round must be a list of numbers")
    return tuple(check_count(name, value) for value in values)


def _rounds(data: Mapping[str, Any], tests: Mapping[str, TestFigures]) -> int:
    if data["schema_version"] == 1:
        return min((figures.rounds for figures in tests.values()), default=1)
    return check_count("rounds", data["rounds"], 1)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, not {type(value).__name__}")
    return value
