"""Tables of scores: systems side by side, with the mean over the runs of each system."""

from __future__ import annotations

import csv
import io
import statistics
from dataclasses import dataclass, replace
from typing import Any, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.same_test_data import check_same_test_data
from fairseq_amber.files.pair_names import languages_of
from fairseq_amber.files.results import Result
from fairseq_amber.files.tables import csv_cell, markdown_table, markdown_text
from fairseq_amber.metrics.outcomes import LOWER_IS_BETTER

# Settings that may differ between the runs of one system: seeds, and the paths of files. Digests,
# not paths, tell whether the test data is the same.
_RUN_SETTINGS = frozenset(
    {"checkpoint", "updates", "reinitialized_with_seed", "predicted", "gold", "test"}
)
# Settings that must be equal only if both runs have them; a result of two files has no split.
_OPTIONAL_SETTINGS = frozenset({"split", "dev_split"})

# Parts of a score that a table shows as a second metric, in a section of their own.
_SECOND_METRICS = {"accuracy": "accuracy", "em": "EM"}

BASELINE = "baseline"


@dataclass(frozen=True)
class Cell:
    """The scores of one system in a row.

    Attributes:
        values: the score of each run, in percent.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the runs."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float | None:
        """Sample standard deviation over the runs; None for a single run."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.std is None else f" ± {self.std:.1f}"
        return f"{self.mean:.1f}{spread}"


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        label: what the row shows: a language, a direction of retrieval, or ``mean``.
        cells: the scores of each system that has a score in this row, by the system's name.
    """

    label: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Section:
    """The rows of one task and metric.

    Attributes:
        task: the task.
        metric: the metric.
        rows: for each language one row, or one row for each direction of retrieval. If there are
            several, the last row is the mean over the languages, for the systems that have all.
    """

    task: str
    metric: str
    rows: list[Row]

    @property
    def lower_is_better(self) -> bool:
        """Whether a lower score is better."""
        return self.metric in LOWER_IS_BETTER


def build_sections(results: Sequence[Result]) -> list[Section]:
    """Groups results by task and metric.

    Several results of one system on one task are its runs.

    Returns:
        One section for each task and metric, in the order of their first results.

    Raises:
        UserError: two results of one system and task were measured with different settings (other
            than those that may differ between runs), or on different test data.
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
    """Formats the sections as one Markdown table.

    Systems are columns, tasks and languages are rows; the best score of a row is in bold.
    """
    rows = []
    for section in sections:
        better = "lower" if section.lower_is_better else "higher"
        title = markdown_text(f"{section.task.replace('_', ' ')}: {section.metric}")
        rows.append([f"*{title} %, {better} is better*"] + [""] * len(systems))
        for row in section.rows:
            cells = {name: str(cell) for name, cell in row.cells.items()}
            best = _best(row, section.lower_is_better) if len(cells) > 1 else set()
            rows.append(
                [markdown_text(row.label)]
                + [f"**{cells[s]}**" if s in best else cells.get(s, "") for s in systems]
            )
    return markdown_table(["", *map(markdown_text, systems)], rows)


def as_csv(sections: Sequence[Section]) -> str:
    """Formats the sections as CSV: one line for each row and system.

    The columns are ``task,metric,row,system,mean,std,runs,best``. Scores are in percent and not
    rounded; ``std`` is empty for a single run; ``best`` is 1 where the Markdown table is bold. A
    name that a spreadsheet would take for a formula begins with an apostrophe.
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
                names = [section.task, section.metric, row.label, name]
                writer.writerow(map(csv_cell, [*names, *numbers]))
    return out.getvalue()


def as_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Returns the sections for JSON, with mean, std (null for a single run) and all values."""
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
    """Puts results of the system ``BASELINE``, the scores of guessing, before the other results.

    A task has a baseline if its evaluator stored one beside each part of the score, under the name
    ``baseline_<part>``. Each task gets one result.

    Raises:
        UserError: a system has the name ``BASELINE``, too.
    """
    tasks: dict[tuple[str, str], Result] = {}
    for result in results:
        tasks.setdefault((result.task, result.metric), result)
    baselines = []
    for result in tasks.values():
        per_language = {}
        for language, parts in result.per_language.items():
            prefix = BASELINE + "_"
            found = {k[len(prefix) :]: v for k, v in parts.items() if k.startswith(prefix)}
            if found:  # the baseline of the score itself is the first
                score = next(iter(found.values()))
                per_language[language] = {"score": score, **found, "n": parts["n"]}
        if len(per_language) == len(result.per_language):
            if any(r.system == BASELINE and r.task == result.task for r in results):
                raise UserError(
                    f"a system on {result.task} has the name {BASELINE}, which is that of guessing "
                    "in this table; measure it again with another --name"
                )
            baselines.append(
                Result.from_languages(result.task, result.metric, BASELINE, per_language, {})
            )
    return [*baselines, *results]


def _by_metric(result: Result) -> list[Result]:
    """Returns the result and, if all languages have a second metric, its result by that metric."""
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
    """Groups the results of one task by system, and checks that the runs can be averaged."""
    systems: dict[str, list[Result]] = {}
    for result in results:
        runs = systems.setdefault(result.system, [])
        runs.append(result)
        for key in sorted({*runs[0].config, *result.config} - _RUN_SETTINGS):
            one, other = (run.config.get(key) for run in (runs[0], result))
            if one != other and not (key in _OPTIONAL_SETTINGS and None in (one, other)):
                raise UserError(
                    f"two results of {result.system} on {result.task} were measured with {key} "
                    f"{one} and {other}; measure both alike, or tell them apart with --name"
                )
    for runs in systems.values():
        check_same_test_data(runs, "measure both on the same, or tell them apart with --name")
    return systems


def _rows(systems: dict[str, list[Result]]) -> list[Row]:
    """Returns the rows of one section."""
    cells: dict[tuple[str, str], dict[str, list[float]]] = {}
    for system, runs in systems.items():
        for run in runs:
            for language, parts in run.per_language.items():
                for part in _shown_parts(parts):
                    cells.setdefault((language, part), {}).setdefault(system, []).append(
                        parts[part]
                    )
    rows = [
        Row(_label(*key), {name: Cell(tuple(values)) for name, values in row.items()})
        for key, row in cells.items()
    ]
    languages = dict.fromkeys(language for language, _ in cells)
    complete = {
        name: _mean(runs)
        for name, runs in systems.items()
        if languages.keys() == {language for run in runs for language in run.per_language}
    }
    if len(rows) > 1 and complete:
        rows.append(Row("mean", complete))
    return rows


def _shown_parts(parts: dict[str, float]) -> tuple[str, ...]:
    """Returns both directions of a score that has them, else the score."""
    return ("forward", "backward") if {"forward", "backward"} <= parts.keys() else ("score",)


def _label(language: str, part: str) -> str:
    """Returns the label of a row: the language, or the direction of a language pair."""
    source, target = languages_of(language)
    return {"forward": f"{source} → {target}", "backward": f"{target} → {source}"}.get(
        part, language
    )


def _mean(runs: Sequence[Result]) -> Cell:
    """Returns the mean over languages of each run.

    If the runs cover different languages, it averages the runs of each language, and returns one
    mean over all languages.
    """
    if len({frozenset(run.per_language) for run in runs}) == 1:
        return Cell(tuple(run.score for run in runs))
    by_language: dict[str, list[float]] = {}
    for run in runs:
        for language, parts in run.per_language.items():
            by_language.setdefault(language, []).append(parts["score"])
    return Cell((statistics.fmean(map(statistics.fmean, by_language.values())),))


def _best(row: Row, lower_is_better: bool) -> set[str]:
    """Returns the systems with the best score, of scores rounded as in the table."""
    shown = {name: round(cell.mean, 1) for name, cell in row.cells.items()}
    best = (min if lower_is_better else max)(shown.values())
    return {name for name, value in shown.items() if value == best}
