"""The benchmark suite: its statistics, its tables, its verdicts and what it keeps."""

from __future__ import annotations

import json

import pytest

from benchmark_results import results_of, seconds_of

# isort: split

from benchmarks import document, tables, targets
from benchmarks.conditions import CONDITIONS, NOTHING, NULL_HOOK, SCOPE
from benchmarks.results import Results
from benchmarks.spreads import mean_ratios, ratios, spread
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import NAMES, TARGETS, Target

ALLOCATION = NAMES["allocation"]


def test_a_spread_is_the_median_and_the_quartiles():
    assert spread([4.0, 1.0, 3.0, 2.0, 5.0]) == (3.0, 2.0, 4.0, 5)
    assert spread([1.0, 2.0]) == (1.5, 1.25, 1.75, 2)
    assert spread([7.0]) == (7.0, 7.0, 7.0, 1)
    assert spread([]) is None
    assert spread([4.0, 1.0, 3.0, 2.0, 5.0]).half_width == 1.0


def test_ratios_are_those_of_one_round():
    """A machine that is half as fast for one round changes no ratio."""
    results = seconds_of(
        {("a", "nothing"): [1.0, 2.0, 1.0], ("a", "scope"): [1.1, 2.2, 1.1]},
    )
    assert ratios(results, "a", "scope", "nothing") == pytest.approx({0: 1.1, 1: 1.1, 2: 1.1})


def test_a_round_without_its_base_has_no_ratio():
    results = seconds_of({("a", "nothing"): [1.0, None], ("a", "scope"): [3.0, 3.0]})
    assert ratios(results, "a", "scope", "nothing") == {0: 3.0}
    assert ratios(results, "a", "scope", "null_hook") == {}


def test_a_geometric_mean_is_of_rounds_that_have_every_subject():
    results = seconds_of(
        {
            ("a", "nothing"): [1.0, 1.0],
            ("a", "scope"): [2.0, 2.0],
            ("b", "nothing"): [1.0, 1.0],
            ("b", "scope"): [8.0, None],
        }
    )
    assert mean_ratios(results, ["a", "b"], "scope", "nothing") == {0: 4.0}
    assert mean_ratios(results, ["a", "c"], "scope", "nothing") == {}
    assert mean_ratios(results, [], "scope", "nothing") == {}


def test_a_table_has_a_row_for_each_subject_and_their_mean():
    costs = {}
    for number, name in enumerate(ALLOCATION[:2]):
        costs[name, "nothing"] = [1.0, 1.0, 1.0]
        costs[name, "scope"] = [1.0 + number, 1.1 + number, 1.2 + number]
    lines = tables.ratio_table(seconds_of(costs), "allocation", NOTHING).splitlines()
    assert lines == [
        "|  | a scope per unit |",
        "| --- | ---: |",
        f"| {ALLOCATION[0]} | 1.10 ±0.05 |",
        f"| {ALLOCATION[1]} | 2.10 ±0.05 |",
        # Not all of the group: a mean of what is there would be one of something else.
        "| **geometric mean** | - |",
    ]


def test_the_mean_stands_below_a_whole_group():
    costs = {(name, key): [1.0 + (key == "scope")] for name in ALLOCATION for key in CONDITIONS}
    table = tables.ratio_table(seconds_of(costs), "allocation", NOTHING, [SCOPE, NULL_HOOK])
    assert table.splitlines()[-1] == "| **geometric mean** | 2.00 | 1.00 |"


def test_what_was_not_measured_is_said():
    nothing = seconds_of({})
    assert tables.ratio_table(nothing, "allocation", NOTHING) == "Not measured."
    empty = {*document.sections(nothing).items()} - {("targets", tables.target_table(nothing))}
    assert {text for name, text in empty if name not in ("machine", "failures")} <= {
        "Not measured.",
        "",
    }
    assert {target.verdict(seconds_of({})) for target in TARGETS} == {"not measured"}


@pytest.mark.parametrize(
    ("value", "least", "verdict"),
    [
        (1.05, False, "aim reached"),
        (1.15, False, "must reached"),
        (1.25, False, "**missed**"),
        (1.25, True, "aim reached"),
        (1.15, True, "must reached"),
        (1.05, True, "**missed**"),
    ],
)
def test_a_verdict_compares_the_median(value, least, verdict):
    must, aim = (1.1, 1.2) if least else (1.2, 1.1)
    target = Target("some", must, aim, lambda _: spread([value]), least=least)
    assert target.verdict(seconds_of({})) == verdict


def test_targets_are_judged_by_the_figures_that_they_name():
    costs = {}
    for group in ("allocation", "pyperformance"):
        for name in NAMES[group]:
            costs[name, "nothing"] = [1.0]
            costs[name, "null_hook"] = [1.1]
            costs[name, "idle"] = [1.1]
            costs[name, "scope"] = [1.21]
    costs[ALLOCATION[1], "scope"] = [1.5]
    results = seconds_of(costs)
    found = {target.name: target for target in TARGETS}
    worst = found["worst single workload, to nothing"]
    assert worst.measured(results).median == 1.5
    assert worst.note(results) == ALLOCATION[1]
    assert worst.verdict(results) == "**missed**"
    idle = found["installed and idle, to the null hook, both sets"]
    assert idle.measured(results).median == pytest.approx(1.0)
    pyperformance = found["pyperformance set, a scope, to nothing: geometric mean"]
    assert pyperformance.measured(results).median == pytest.approx(1.21)


def test_targets_are_told_by_the_fastest_runs_as_well():
    costs = {}
    for name in ALLOCATION:
        costs[name, "nothing"] = [4.0, 1.0, 2.0]
        costs[name, "null_hook"] = [1.25, 2.5, 5.0]
        costs[name, "scope"] = [3.0, 6.0, 1.5]
    costs[ALLOCATION[1], "scope"] = [5.0]
    results = seconds_of(costs)
    found = {target.name: target for target in TARGETS}
    allocation = found["allocation-heavy set, a scope, to nothing: geometric mean"]
    assert allocation.fastest(results) == pytest.approx((1.5**4 * 5) ** (1 / 5))
    hook = found["allocation-heavy set, a scope, to the null hook: geometric mean"]
    assert hook.fastest(results) == pytest.approx((1.2**4 * 4) ** (1 / 5))
    assert found["worst single workload, to nothing"].fastest(results) == 5.0
    pyperformance = found["pyperformance set, a scope, to nothing: geometric mean"]
    assert pyperformance.fastest(results) is None
    lines = tables.target_table(results).splitlines()
    assert lines[0] == "| figure | must | aim | reached | by the fastest runs |  |"
    assert " | 1.908 | " in lines[2]
    assert "|  | not measured |" in lines[5]


def test_growth_is_judged_beyond_that_of_the_null_hook():
    results = results_of(
        {
            ("live blocks", "null_hook"): {"fresh 1000": [10.0], "fresh 10000000": [40.0]},
            ("live blocks", "scope"): {"fresh 1000": [12.0], "fresh 10000000": [60.0]},
        }
    )
    target = next(target for target in TARGETS if "live blocks" in target.name)
    assert target.measured(results).median == pytest.approx(1.25)
    assert target.note(results) == "as a whole 5.00, with null hooks 4.00"
    assert target.verdict(results) == "must reached"


def test_memory_is_that_of_the_worst_heap():
    costs = {}
    for name, more in zip(NAMES["memory"], (1.2, 1.31, 1.1), strict=True):
        costs[name, "nothing"] = {"resident 10000000": [1e9]}
        costs[name, "scope"] = {"resident 10000000": [1e9 * more]}
    results = results_of(costs)
    assert targets.memory(results).median == pytest.approx(0.31)
    assert "| heap of object(), 10,000,000 | 100.0 | 120.0 | 20.0 % |" in tables.memory_table(
        results
    )


def test_results_are_read_as_they_were_written(tmp_path):
    results = seconds_of({("a", "nothing"): [1.0, 2.0], ("a", "scope"): [1.5]})
    results.failures["a, memray"] = "memray is not installed"
    path = tmp_path / "deep" / "results.json"
    results.save(path)
    again = Results.load(path)
    assert vars(again) == vars(results)
    assert again.rounds == 2
    assert not list(tmp_path.glob("**/*.part"))


def test_results_of_another_version_are_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"schema_version": 99}), encoding="utf-8")
    with pytest.raises(ValueError, match="measure anew"):
        Results.load(path)


def test_only_what_stands_between_marks_is_renewed():
    text = "a\n<!-- machine: begin -->\nold\n<!-- machine: end -->\nb\n"
    text += "<!-- other: begin -->\nold\n<!-- other: end -->\n"
    assert document.renewed(text, {"machine": "new"}) == text.replace("old", "new", 1)
    assert document.renewed(text, {}) == text


def test_the_documents_have_a_place_for_everything_that_is_measured():
    text = (document.DOCS / document.DOCUMENT).read_text(encoding="utf-8")
    found = document.sections(seconds_of({}))
    assert "<!-- cost: begin -->\n" in document.README.read_text(encoding="utf-8")
    marks = [mark[2] for mark in document.SECTION.finditer(text)]
    assert sorted(marks) == sorted(found.keys() - {"cost"})
    assert document.renewed(text, found) == document.renewed(document.renewed(text, found), found)


def test_names_of_subjects_and_conditions_are_unique():
    assert len({subject.name for subject in SUBJECTS}) == len(SUBJECTS)
    for subject in SUBJECTS:
        assert all(CONDITIONS[condition.key] is condition for condition in subject.conditions)


def test_the_same_results_give_the_same_plots(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    costs = {(name, key): [1.0, 1.5] for name in ALLOCATION for key in CONDITIONS}
    results = seconds_of(costs)
    first, again = (
        [path.read_bytes() for path in plots.draw(results, tmp_path / name)] for name in "ab"
    )
    assert len(first) == 1
    assert first == again
    assert b"allocation-heavy" in first[0]
