"""A comparison of two reports as an aligned text table for terminals and logs, without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.renderers.printable import columns, printable
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from allocmeter.comparison import Change
    from allocmeter.regressions import Violation
    from allocmeter.report_comparison import DistributionChange, ReportComparison, RowComparison
    from allocmeter.verdicts import Verdict

    Line = tuple[str, ...]

DEFAULT_WIDTH: Final = 116

_NARROWEST_NAME: Final = 12
_GAP: Final = "  "
_HEADINGS: Final = (
    ("", "", "", "bytes", "allocations", "peak", "retained", ""),
    ("scope", "", "calls", "a call", "a call", "a call", "in all", "verdict"),
)
_LEFT: Final = (1, 7)
_INCOMPARABLE: Final = "?"
_SAME: Final = "="
_HARDLY_CHANGED: Final = "~"


def render(
    comparison: ReportComparison, *, max_rows: int | None = None, width: int | None = None
) -> str:
    """Return the comparison as text: warnings, new leaks, then a table with what changed.

    Per name there is a line for the baseline, one for now and one for the change; names on one
    side only have one line. Figures a call are means. `=` is no change, `~` less than 0.05 %,
    `?` a figure that cannot be compared. Names without a larger change are counted only. They
    are shown as `printable` gives them.

    Args:
        comparison: what to show.
        max_rows: names of the table, `None` for all; new leaks are listed above it all the same.
        width: columns of the terminal, `None` for 116; names are cut to fit, figures never.

    Raises:
        ValueError: `max_rows` or `width` is below 1.
    """
    for option, value in (("max_rows", max_rows), ("width", width)):
        if value is not None and value < 1:
            raise ValueError(f"{option} is {value}; give 1 or more, or None for the default")
    room = DEFAULT_WIDTH if width is None else width
    # A warning may be longer than a line, and its end is what says what to do.
    lines = [f"warning: {printable(warning, 1000)}" for warning in comparison.warnings]
    lines += _leaks(comparison.rows, room)
    changed = [row for row in comparison.rows if _is_changed(row)]
    if changed:
        lines += [*([""] if lines else []), *_table(changed[:max_rows], room)]
    if hidden := len(changed) - len(changed[:max_rows]):
        lines.append(f"and {human_count(hidden)} more that changed")
    if same := len(comparison.rows) - len(changed):
        lines.append(f"unchanged (within 0.05%): {human_count(same)} of {len(comparison.rows):,}")
    return "\n".join(lines or ["neither report has a name"])


def render_violations(found: Iterable[Violation]) -> str:
    """Return one line for each limit that was exceeded."""
    return "\n".join(
        f"FAILED  {printable(violation.name, DEFAULT_WIDTH)}: {violation.reason}"
        for violation in found
    )


def _leaks(rows: Sequence[RowComparison], width: int) -> Iterator[str]:
    for row in rows:
        if row.is_new_leak and row.current_verdict is not None:
            few = row.baseline_verdict is not None and row.baseline_verdict.kind == "few"
            doubt = " (the baseline has too few calls to tell whether it did before)" if few else ""
            name = printable(row.name, max(width // 2, _NARROWEST_NAME))
            yield f"NEW LEAK  {name}  {row.current_verdict.reason}{doubt}"


def _is_changed(row: RowComparison) -> bool:
    if row.baseline_verdict is None or row.current_verdict is None:
        return True
    *_, (_, _, *figures, _) = _lines(row)
    same = {_SAME, _HARDLY_CHANGED}.issuperset(figures)
    return not same or row.baseline_verdict.kind != row.current_verdict.kind


def _table(rows: Sequence[RowComparison], width: int) -> Iterator[str]:
    groups = [list(_lines(row)) for row in rows]
    every = [*_HEADINGS, *(line for group in groups for line in group)]
    widths = [max(map(len, column)) for column in zip(*(line[1:] for line in every), strict=True)]
    rest = sum(widths) + len(_GAP) * len(widths)
    room = max(width - rest, _NARROWEST_NAME)
    names = [printable(row.name, room) for row in rows]
    longest = max(map(columns, ["scope", *names]))

    def aligned(name: str, figures: Line) -> str:
        cells = [
            figure.ljust(size) if index in _LEFT else figure.rjust(size)
            for index, (figure, size) in enumerate(zip(figures, widths, strict=True), start=1)
        ]
        return _GAP.join([name + " " * (longest - columns(name)), *cells]).rstrip()

    for heading, *figures in _HEADINGS:
        yield aligned(heading, tuple(figures))
    yield "-" * (longest + rest)
    for name, group in zip(names, groups, strict=True):
        for index, (_, *figures) in enumerate(group):
            yield aligned("" if index else name, tuple(figures))


def _lines(row: RowComparison) -> Iterator[Line]:
    is_new, is_gone = row.presence == "new", row.presence == "gone"
    if not is_new:
        yield _line(row, "gone" if is_gone else "baseline", row.baseline_verdict, _before)
    if not is_gone:
        yield _line(row, "new" if is_new else "now", row.current_verdict, _now)
    if not is_new and not is_gone:
        yield _line(row, "change", None, _difference)


def _line(
    row: RowComparison,
    label: str,
    verdict: Verdict | None,
    text: Callable[[Change, Callable[[float], str]], str],
) -> Line:
    def mean(quantity: DistributionChange | None, shown: Callable[[float], str]) -> str:
        return _INCOMPARABLE if quantity is None else text(quantity.mean, shown)

    retained = row.retained_bytes
    return (
        "",
        label,
        text(row.calls, human_count),
        mean(row.bytes_allocated, human_bytes),
        mean(row.allocations, human_count),
        mean(row.peak_bytes, human_bytes),
        _INCOMPARABLE if retained is None else text(retained, human_bytes),
        "" if verdict is None else verdict.kind,
    )


def _before(change: Change, shown: Callable[[float], str]) -> str:
    return shown(change.baseline)


def _now(change: Change, shown: Callable[[float], str]) -> str:
    return shown(change.current)


def _difference(change: Change, shown: Callable[[float], str]) -> str:
    if not change.absolute:
        return _SAME
    if not change.baseline:
        return f"+{shown(change.absolute)}"
    if abs(change.relative) < 0.0005:
        return _HARDLY_CHANGED
    ratio = 1 + change.relative
    # A percentage that long is no longer read.
    return f"{change.relative:+.1%}" if ratio < 10 else f"x{ratio:.3g}"
