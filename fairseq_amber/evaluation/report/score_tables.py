"""Puts results of several systems, and of several runs of one system, side by side."""

from __future__ import annotations

import csv
import io
import statistics
from dataclasses import dataclass, replace
from typing import Any, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.same_test_data import check_same_test_data
from fairseq_amber.files.results import Result
from fairseq_amber.files.tables import markdown_table
from fairseq_amber.metrics.outcomes import LOWER_IS_BETTER

# What may differ between the runs that one mean is taken over: seeds, and where files lie. Whether
# the test data is the same, its digest tells.
_OF_ONE_RUN = frozenset(
    {"checkpoint", "updates", "reinitialized_with_seed", "predicted", "gold", "test"}
)
_IF_BOTH_STATE_IT = frozenset({"split", "dev_split"})  # a pair of files has no split

# Parts of a score that are shown as a metric of their own beside it.
_SECOND_METRICS = {"accuracy": "accuracy", "em": "EM"}


BASELINE = "baseline"


@dataclass(frozen=True)
class Cell:
    """One system's values in a row, one for each run, in percent."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over runs."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float | None:
        """Sample standard deviation over runs; None for a single run."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.std is None else f" ± {self.std:.1f}"
        return f"{self.mean:.1f}{spread}"


@dataclass(frozen=True)
class Row:
    """One number for every system that has it."""

    label: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Section:
    """All rows of one task; of several languages the last is the mean, of the systems that have
    every language of the section."""

    task: str
    metric: str
    rows: list[Row]

    @property
    def lower_is_better(self) -> bool:
        """Whether a small number is a good one."""
        return self.metric in LOWER_IS_BETTER


def compare(results: Sequence[Result]) -> list[Section]:
    """Sections in the order in which tasks come; results of one system and task are runs.

    Raises:
        UserError: two results of one system and task differ in settings other than the run, or are
            of different test data.
    """
    sections: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        for shown in _by_metric(result):
            sections.setdefault((shown.task, shown.metric), []).append(shown)
    return [
        Section(task, metric, _rows(_by_system(members)))
        for (task, metric), members in sections.items()
    ]


def markdown(sections: Sequence[Section], systems: Sequence[str]) -> str:
    """One Markdown table: systems across, tasks and languages down, the best of a row in bold."""
    rows = []
    for section in sections:
        better = "lower" if section.lower_is_better else "higher"
        title = f"*{section.task.replace('_', ' ')}: {section.metric} %, {better} is better*"
        rows.append([title] + [""] * len(systems))
        for row in section.rows:
            cells = {name: str(cell) for name, cell in row.cells.items()}
            best = _best(row, section.lower_is_better) if len(cells) > 1 else set()
            rows.append(
                [row.label]
                + [f"**{cells[s]}**" if s in best else cells.get(s, "") for s in systems]
            )
    return markdown_table(["", *systems], rows)


def as_csv(sections: Sequence[Section]) -> str:
    """One line for each row and system: `task,metric,row,system,mean,std,runs,best`.

    Numbers are in percent and not rounded; std is empty for one run; best is 1 where the table is
    bold.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["task", "metric", "row", "system", "mean", "std", "runs", "best"])
    for section in sections:
        for row in section.rows:
            best = _best(row, section.lower_is_better) if len(row.cells) > 1 else set()
            for name, cell in row.cells.items():
                std = "" if cell.std is None else cell.std
                numbers = [cell.mean, std, len(cell.values), int(name in best)]
                writer.writerow([section.task, section.metric, row.label, name, *numbers])
    return out.getvalue()


def as_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """The same numbers for programs: mean, std (null for one run) and the values of all runs."""
    return [
        {
            "task": section.task,
            "metric": section.metric,
            "lower_is_better": section.lower_is_better,
            "rows": [
                {
                    "label": row.label,
                    "systems": {
                        name: {"mean": cell.mean, "std": cell.std, "values": list(cell.values)}
                        for name, cell in row.cells.items()
                    },
                }
                for row in section.rows
            ],
        }
        for section in sections
    ]


def with_baselines(results: Sequence[Result]) -> list[Result]:
    """The results, after those of the system `BASELINE`: once for each task whose evaluator has
    put what guessing scores beside the score, as `baseline_<part>`."""
    tasks: dict[tuple[str, str], Result] = {}
    for result in results:
        tasks.setdefault((result.task, result.metric), result)
    baselines = []
    for result in tasks.values():
        per_language = {}
        for language, parts in result.per_language.items():
            prefix = BASELINE + "_"
            found = {k[len(prefix) :]: v for k, v in parts.items() if k.startswith(prefix)}
            if found:  # the score's comes first, as among the parts
                score = next(iter(found.values()))
                per_language[language] = {"score": score, **found, "n": parts["n"]}
        if len(per_language) == len(result.per_language):
            baselines.append(
                Result.from_languages(result.task, result.metric, BASELINE, per_language, {})
            )
    return [*baselines, *results]


def _by_metric(result: Result) -> list[Result]:
    """The result, and where all its languages have a second metric, the result by that one."""
    shown = [result]
    for key, metric in _SECOND_METRICS.items():
        values = {
            language: {"score": parts[key], "n": parts["n"]}
            for language, parts in result.per_language.items()
            if key in parts
        }
        if values and len(values) == len(result.per_language) and metric != result.metric:
            score = statistics.fmean(parts["score"] for parts in values.values())
            shown.append(replace(result, metric=metric, score=score, per_language=values))
    return shown


def _by_system(results: Sequence[Result]) -> dict[str, list[Result]]:
    systems: dict[str, list[Result]] = {}
    for result in results:
        runs = systems.setdefault(result.system, [])
        runs.append(result)
        for key in sorted({*runs[0].config, *result.config} - _OF_ONE_RUN):
            ours, theirs = (run.config.get(key) for run in (runs[0], result))
            if ours != theirs and not (key in _IF_BOTH_STATE_IT and None in (ours, theirs)):
                raise UserError(
                    f"two results of {result.system} on {result.task} were measured with {key} "
                    f"{ours} and {theirs}; measure both alike, or tell them apart with --name"
                )
    for runs in systems.values():
        check_same_test_data(runs, "measure both on the same, or tell them apart with --name")
    return systems


def _rows(systems: dict[str, list[Result]]) -> list[Row]:
    cells: dict[tuple[str, str], dict[str, list[float]]] = {}
    for system, runs in systems.items():
        for run in runs:
            for language, parts in run.per_language.items():
                for part in _shown_parts(parts):
                    cells.setdefault((language, part), {}).setdefault(system, []).append(
                        parts[part]
                    )
    rows = [
        Row(_label(*number), {name: Cell(tuple(values)) for name, values in row.items()})
        for number, row in cells.items()
    ]
    languages = dict.fromkeys(language for language, _ in cells)
    whole = {
        name: _mean(runs)
        for name, runs in systems.items()
        if languages.keys() == {language for run in runs for language in run.per_language}
    }
    if len(rows) > 1 and whole:
        rows.append(Row("mean", whole))
    return rows


def _shown_parts(parts: dict[str, float]) -> tuple[str, ...]:
    """Both directions of a number that has them, else its score."""
    return ("forward", "backward") if {"forward", "backward"} <= parts.keys() else ("score",)


def _label(language: str, part: str) -> str:
    source, _, target = language.partition("-")
    return {"forward": f"{source} → {target}", "backward": f"{target} → {source}"}.get(
        part, language
    )


def _mean(runs: Sequence[Result]) -> Cell:
    """The scores of runs over the same languages; of results that split them up, one score."""
    if len({frozenset(run.per_language) for run in runs}) == 1:
        return Cell(tuple(run.score for run in runs))
    by_language: dict[str, list[float]] = {}
    for run in runs:
        for language, parts in run.per_language.items():
            by_language.setdefault(language, []).append(parts["score"])
    return Cell((statistics.fmean(map(statistics.fmean, by_language.values())),))


def _best(row: Row, lower_is_better: bool) -> set[str]:
    """The systems whose number, as it is printed, is the best."""
    shown = {name: round(cell.mean, 1) for name, cell in row.cells.items()}
    best = (min if lower_is_better else max)(shown.values())
    return {name for name, value in shown.items() if value == best}
