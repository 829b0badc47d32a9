"""The JSON of one measured number: the score, what it is a mean of, and what it was measured with.

{"task": "retrieval", "metric": "accuracy", "system": "AMBER", "score": 93.1, "n": 4000,
 "per_language": {"de-en": {"score": 93.1, "forward": 92.8, "backward": 93.4, "n": 1000,
                            "test_digest": "0f3a..."}, ...},
 "config": {"checkpoint": ..., "layer": 4, "pooling": "mean", ...}}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.outcomes import outcomes_path, write_outcomes
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.metrics.outcomes import Outcomes


@dataclass(frozen=True)
class Result:
    """One system's result on one task.

    Attributes:
        task: what was measured, such as retrieval or word_alignment.
        metric: the name of the score, such as accuracy or AER; scores are percentages.
        system: the name the report puts over the column.
        score: the plain mean over languages.
        per_language: for each language or pair its `score`, `n` and the parts of the score; of a
            sweep also `layers`, the score by layer, {"0": 3.1, "1": 4.0, ...}; `test_digest`, which
            differs where the test data does.
        n: test items in all.
        config: everything else one must know to compare the number.
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
        """A result whose score is the mean of its languages' scores and whose n is their sum."""
        scores = [parts["score"] for parts in per_language.values()]
        n = sum(int(parts["n"]) for parts in per_language.values())
        return cls(task, metric, system, sum(scores) / len(scores), per_language, n, config)

    def write(self, path: str | Path, outcomes: Outcomes | None = None) -> None:
        """Writes the JSON, and the outcomes of its test items into a file beside it.

        Each file appears whole or not at all.
        """
        if outcomes is not None:
            write_outcomes(outcomes, outcomes_path(path))
        with atomic_writer(path) as file:
            json.dump(asdict(self), file, ensure_ascii=False, indent=2)
            file.write("\n")


def check_same_tests(results: Sequence[Result], remedy: str) -> None:
    """Refuses results of one task that do not share the test data of each language, as far as their
    `test_digest` tells.

    Raises:
        UserError: two of them differ; it ends in `remedy`.
    """
    seen: dict[str, tuple[str, Result]] = {}
    for result in results:
        for language, parts in result.per_language.items():
            digest = parts.get("test_digest")
            if digest is None:
                continue
            known, other = seen.setdefault(language, (digest, result))
            if digest != known:
                raise UserError(
                    f"two results on {result.task} of {language} are of different test data: of "
                    f"{other.system} on {_place(other)} and of {result.system} on "
                    f"{_place(result)}; {remedy}"
                )


def _place(result: Result) -> str:
    return result.config.get("gold") or result.config.get("test") or "an unknown place"


def read_result(path: str | Path) -> Result:
    """Reads what `Result.write` wrote.

    Raises:
        UserError: the file cannot be read or is no result.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        result = Result(**content)
        for parts in result.per_language.values():
            float(parts["score"])
        return result
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(
            f"{path} is no result; give a JSON that an evaluator's --json has written"
        ) from None
