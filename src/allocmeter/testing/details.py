"""What helps to find out why a call took more than it may: a section of the failure report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.renderers.printable import printable
from allocmeter.testing.budget import amount
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.findings import Findings

# The name of the section.
SECTION: Final = "allocations"

_SCOPES_SHOWN: Final = 10
_SIZES_SHOWN: Final = 5
_NAME_WIDTH: Final = 60


def details(findings: Findings) -> str:
    """Return what is known of a call, and what to do about it, as lines of text."""
    figures = findings.figures
    return "\n".join(
        [
            *_measured(findings),
            *_scopes(figures),
            *_sizes(figures),
            *_retained(findings),
            *_next_steps(findings),
        ]
    )


def _measured(findings: Findings) -> Iterator[str]:
    figures = findings.figures
    rounds = f", the smallest of {figures.rounds} rounds" if figures.rounds > 1 else ""
    yield f"Measured, without fixtures{rounds}:"
    limits = {excess.metric: excess.limit for excess in findings.excesses}
    for metric, label, figure in (
        ("allocations", "allocations", figures.allocations),
        ("bytes", "bytes", figures.bytes_allocated),
        ("peak", "peak bytes", figures.peak_bytes),
    ):
        limit = f", limit {amount(metric, limits[metric])}" if metric in limits else ""
        yield f"  {label:<11}  {amount(metric, figure)}{limit}"


def _scopes(figures: TestFigures) -> Iterator[str]:
    if not figures.scopes:
        return
    yield "By scope, with what is nested in it:"
    shown = [(printable(row.name, _NAME_WIDTH), row) for row in figures.scopes[:_SCOPES_SHOWN]]
    width = max(len(name) for name, _ in shown)
    for name, row in shown:
        yield (
            f"  {name:<{width}}  {human_bytes(row.bytes_allocated)} in "
            f"{human_count(row.allocations)} allocations, {human_count(row.count)} calls, "
            f"the largest {human_bytes(row.largest_bytes)}"
        )
    if hidden := len(figures.scopes) - len(shown):
        yield f"  and {human_count(hidden)} more"


def _sizes(figures: TestFigures) -> Iterator[str]:
    if not figures.sizes:
        return
    yield "By size of the blocks, in bytes:"
    shown = [(f"{one.smallest:,} to {one.largest:,}", one) for one in figures.sizes[:_SIZES_SHOWN]]
    width = max(len(sizes) for sizes, _ in shown)
    for sizes, one in shown:
        yield (
            f"  {sizes:<{width}}  {human_bytes(one.bytes_allocated)} in "
            f"{human_count(one.allocations)} allocations"
        )
    if hidden := len(figures.sizes) - len(shown):
        yield f"  and {human_count(hidden)} more sizes"


def _retained(findings: Findings) -> Iterator[str]:
    figures = findings.figures
    blocks, size = figures.retained_allocations, figures.retained_bytes
    yield f"Retained when the function had returned: {human_count(blocks)} blocks, " + (
        amount("bytes", size) + (" bytes" if size < 1024 else "")
    )
    if findings.leaks is not None:
        each = zip(findings.leaks.net_allocations, findings.leaks.net_bytes, strict=True)
        yield "Left behind by each call of the leak check, blocks/bytes:"
        yield "  " + ", ".join(f"{blocks:+,}/{size:+,}" for blocks, size in each)


def _next_steps(findings: Findings) -> Iterator[str]:
    figures = findings.figures
    yield "What to do next:"
    if not figures.scopes:
        yield "  * To see which part it is, put parts in named scopes, which are then listed here:"
        yield '    `with measure("part"):`, @measured, or the fixture: allocations.measure("part").'
    if findings.leak:
        yield "  * What grows is kept by something that outlives the call: a module, a cache, a"
        yield "    fixture. If a cache is still filling up, raise warmup= or iterations=."
    if findings.excesses and figures.rounds == 1:
        yield "  * A first call fills caches and imports modules. With rounds=3 the function is"
        yield "    called three times, and the smallest figures count."
    if findings.excesses:
        limits = ", ".join(f"{excess.metric}={excess.measured}" for excess in findings.excesses)
        yield f"  * If it is meant to take that much, raise the limit: {limits}."
