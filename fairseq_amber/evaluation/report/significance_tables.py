"""Tables of significance tests: two systems compared on every task that both have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.same_test_data import check_same_test_data
from fairseq_amber.files.outcomes import outcomes_path, read_outcomes
from fairseq_amber.files.results import Result
from fairseq_amber.files.tables import markdown_table, markdown_text
from fairseq_amber.metrics.outcomes import LOWER_IS_BETTER, Outcomes
from fairseq_amber.metrics.significance import Difference, compare_outcomes, scores_of

NOTE = (
    "Differences in percentage points with their 95 % interval (paired bootstrap of the test "
    "items) and p-value (paired approximate randomisation). Bold: p < 0.05, not corrected for the "
    "number of rows."
)


class Comparison(NamedTuple):
    """The comparison of two systems.

    Attributes:
        first: the first system.
        second: the second system.
        tasks: the differences on each task and metric that could be compared.
        left_out: why each of the other tasks and metrics could not be compared.
    """

    first: str
    second: str
    tasks: dict[tuple[str, str], list[Difference]]
    left_out: dict[tuple[str, str], str]


def compare_systems(first: str, second: str, results: Sequence[tuple[Path, Result]]) -> Comparison:
    """Compares two systems by the outcomes that lie beside their results.

    Several results of one system on one task are its runs. A task whose results have no outcomes
    is left out, unless no task has any.

    Args:
        first: the name of the first system.
        second: the name of the second system.
        results: all results, each with the path of its JSON.

    Raises:
        UserError: there is no result of a system, or the two share no task; or outcomes are
            missing, belong to another result, or were measured on other test items.
    """
    systems = list(dict.fromkeys(result.system for _, result in results))
    for name in (first, second):
        if name not in systems:
            raise UserError(
                f"--compare: no result is of {name!r}; they are of {', '.join(systems)}"
            )
    shared: dict[tuple[str, str], list[list[tuple[Path, Result]]]] = {}
    left_out = {}
    for key in dict.fromkeys((result.task, result.metric) for _, result in results):
        runs = [
            [run for run in results if (run[1].task, run[1].metric, run[1].system) == (*key, name)]
            for name in (first, second)
        ]
        if all(runs):
            shared[key] = runs
        elif any(runs):
            left_out[key] = f"{second if runs[0] else first} has no result"
    if not shared:
        raise UserError(f"--compare: {first} and {second} share no task")
    with_outcomes = {
        key: runs
        for key, runs in shared.items()
        if any(outcomes_path(path).exists() for side in runs for path, _ in side)
    }
    reason = "no RESULT.items.npz lies beside the results; measure again with --json"
    left_out.update({key: reason for key in shared if key not in with_outcomes})
    tasks = {key: _compare_runs(key[1], runs) for key, runs in (with_outcomes or shared).items()}
    return Comparison(first, second, tasks, left_out)


def _compare_runs(metric: str, runs: Sequence[Sequence[tuple[Path, Result]]]) -> list[Difference]:
    """Returns the differences of two systems on one task, from the runs of each."""
    results = [result for side in runs for _, result in side]
    check_same_test_data(results, "measure both systems on the same to --compare them")
    sides = [[_outcomes_of(*run) for run in side] for side in runs]
    return compare_outcomes(*sides, error_rate=metric in LOWER_IS_BETTER)


def _outcomes_of(path: Path, result: Result) -> Outcomes:
    """Returns the outcomes beside a result, checked against its scores."""
    outcomes = read_outcomes(outcomes_path(path))
    scores = scores_of(outcomes, error_rate=result.metric in LOWER_IS_BETTER)
    stated = {language: parts["score"] for language, parts in result.per_language.items()}
    if scores.keys() != stated.keys() or any(abs(scores[x] - stated[x]) > 0.01 for x in scores):
        raise UserError(
            f"{outcomes_path(path)} belongs to another result than {path}; measure again"
        )
    return outcomes


def markdown(comparison: Comparison) -> str:
    """Formats a comparison as one table with a title row for each task, and notes.

    A note says why a task is left out.
    """
    rows = []
    for (task, metric), differences in comparison.tasks.items():
        better = "lower" if metric in LOWER_IS_BETTER else "higher"
        title = markdown_text(f"{task.replace('_', ' ')}: {metric}")
        rows.append([f"*{title} %, {better} is better*", *[""] * 6])
        rows += [_row(difference) for difference in differences]
    systems = map(markdown_text, (comparison.first, comparison.second))
    header = ["", "items", *systems, "difference", "95 %", "p"]
    notes = [
        markdown_text(
            f"note: {task.replace('_', ' ')} ({metric}) is left out of {comparison.first} against "
            f"{comparison.second}: {reason}"
        )
        for (task, metric), reason in comparison.left_out.items()
    ]
    return "\n\n".join([markdown_table(header, rows), *notes])


def _row(found: Difference) -> list[str]:
    """Returns the cells of one difference."""
    difference = f"{found.difference:+.1f}"
    return [
        markdown_text(found.label),
        str(found.n),
        f"{found.first:.1f}",
        f"{found.second:.1f}",
        f"**{difference}**" if found.p_value < 0.05 else difference,
        f"{found.low:+.1f} to {found.high:+.1f}",
        f"{found.p_value:.3f}" if found.p_value >= 0.001 else "< 0.001",
    ]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Returns the comparison for JSON, with numbers that are not rounded."""
    return {
        "first": comparison.first,
        "second": comparison.second,
        "tasks": [
            {
                "task": task,
                "metric": metric,
                "rows": [{**row._asdict(), "difference": row.difference} for row in rows],
            }
            for (task, metric), rows in comparison.tasks.items()
        ],
        "left_out": [
            {"task": task, "metric": metric, "reason": reason}
            for (task, metric), reason in comparison.left_out.items()
        ],
    }
