"""Reads and writes results: the JSON of one measured score, and what it was measured with.

{"task": "retrieval", "metric": "accuracy", "system": "AMBER", "score": 93.1, "n": 4000,
 "per_language": {"de-en": {"score": 93.1, "forward": 92.8, "backward": 93.4, "n": 1000,
                            "test_digest": "0f3a..."}, ...},
 "config": {"checkpoint": ..., "layer": 4, "pooling": "mean", ...}}
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import check_replaceable, encode_json, parse_json, read_bytes
from fairseq_amber.files.names import check_name
from fairseq_amber.files.outcomes import outcomes_path, write_outcomes
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.metrics.outcomes import Outcomes

_PARTS = ("forward", "backward", "accuracy", "em")  # the parts of a score that tables show
_ROUNDED = 0.05  # what writing by hand, with one digit behind the point, changes


@dataclass(frozen=True)
class Result:
    """The result of one system on one task.

    Attributes:
        task: what was measured, such as ``retrieval`` or ``word_alignment``.
        metric: the name of the score, such as ``accuracy`` or ``AER``; scores are percentages.
        system: the name of the system, which heads its column in a report.
        score: the unweighted mean over the languages.
        per_language: for each language or language pair its ``score``, ``n``, the parts of the
            score, and ``test_digest``, which differs if the test data differs; if several layers
            were measured, also ``layers``, the score of each layer, {"0": 3.1, "1": 4.0, ...}.
        n: number of test items in all languages.
        config: every setting that one must know to compare the score with another.
    """

    task: str
    metric: str
    system: str
    score: float
    per_language: dict[str, dict[str, Any]]
    n: int
    config: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_languages(
        cls,
        task: str,
        metric: str,
        system: str,
        per_language: dict[str, dict[str, Any]],
        config: dict[str, Any],
    ) -> Result:
        """Makes a result: its score is the mean over the languages, its ``n`` is their sum."""
        n = sum(int(parts["n"]) for parts in per_language.values())
        return cls(task, metric, system, _mean_score(per_language), per_language, n, config)

    def write(self, path: str | Path, outcomes: Outcomes | None = None) -> None:
        """Writes the JSON, and the outcomes of its test items into a file beside it.

        Each file appears whole or not at all, and the outcomes not without the result.

        Raises:
            UserError: a file cannot be written.
        """
        check_place(path)
        with atomic_writer(path, binary=True) as file:
            file.write(encode_json(asdict(self)))
            file.flush()  # the disk has room for the result before there are outcomes
            if outcomes is not None:
                write_outcomes(outcomes, outcomes_path(path))


def check_place(path: str | Path) -> None:
    """Checks, before the long work, that nothing has the name of a result but an earlier result.

    Raises:
        UserError: a folder has this name or that of its outcomes, or another file has it.
    """
    check_no_folder(path)
    check_no_folder(outcomes_path(path))
    check_replaceable(path, "metric")


def check_no_folder(path: str | Path) -> None:
    """Checks that a file to write does not have the name of a folder.

    Raises:
        UserError: it has.
    """
    if Path(path).is_dir():
        raise UserError(f"cannot write {path}: it is a folder; name a file")


def read_result(path: str | Path) -> Result:
    """Reads what ``Result.write`` wrote.

    Raises:
        UserError: the file cannot be read or is not a result.
    """
    error_message = f"{path} is not a result; give a JSON that an evaluator's --json has written"
    content = parse_json(read_bytes(Path(path)), error_message)
    try:
        result = Result(**content)
        whole = _is_result(result)
        if whole:
            check_name(result.task, "task", path)  # a report names pictures after it
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        whole = False
    if not whole:
        raise UserError(error_message)
    return result


def _is_result(result: Result) -> bool:
    """Tells whether a result has the values that its docstring names."""
    languages = result.per_language
    scores = [result.score]
    for parts in languages.values():
        scores += [parts["score"], *parts.get("layers", {}).values()]
        scores += [x for key, x in parts.items() if key in _PARTS or key.startswith("baseline_")]
    counts = [result.n, *(parts["n"] for parts in languages.values())]
    names = (result.task, result.metric, result.system, *languages)
    digests = (parts.get("test_digest", "") for parts in languages.values())
    return (
        all(isinstance(name, str) and name for name in names)
        and all(isinstance(digest, str) for digest in digests)
        and bool(languages)
        and isinstance(result.config, dict)
        and all(_is_percentage(score) for score in scores)
        and all(type(count) is int and count >= 0 for count in counts)
        and result.n == sum(counts[1:])
        and math.isclose(result.score, _mean_score(languages), abs_tol=_ROUNDED)
        and all(key.isdecimal() for parts in languages.values() for key in parts.get("layers", ()))
    )


def _is_percentage(value: object) -> bool:
    # true is a number to Python, too
    return type(value) in (int, float) and -_ROUNDED <= value <= 100 + _ROUNDED  # type: ignore


def _mean_score(per_language: dict[str, dict[str, Any]]) -> float:
    return sum(parts["score"] for parts in per_language.values()) / len(per_language)
