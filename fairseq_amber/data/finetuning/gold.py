"""The right answers of one split of a task in one language, and the scores of predictions.

Training validates with these scores, and ``fairseq-amber evaluate`` reports them. All scores are
percentages. An example without a right answer, such as one that a test file holds back, is not
scored. A score is made of sums, which add up over batches and over the ranks of training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Sequence

import numpy as np

from fairseq_amber.data.finetuning.task_folder import TaskFolder


class Gold(ABC):
    """The right answers of a split in a language.

    Args:
        folder: the prepared task.
        split: train, valid or test.
        language: one of the split's languages.

    Attributes:
        metric: the name of the main score in results.
        headings: the names of the reported scores by their keys; the first is the score.
        baseline_name: the trivial predictions that ``baseline`` scores.
        sum_names: the names of the sums that ``count`` returns.
        logged: the scores that training logs, in this order.
        by_id: whether the examples have ids, by which a submission names their predictions. Such a
            kind also has ``n_best``, several predictions for each example by its id.
        answers: the right answer to each example in the file's order, None if it is not scored.
        total: the number of examples.
        scored: the number of examples that are scored.
        repeated: the number of examples that have the id of an earlier one.
    """

    metric: str
    headings: dict[str, str]
    baseline_name: str
    sum_names: tuple[str, ...]
    logged: tuple[str, ...]
    by_id = False
    repeated = 0

    def __init__(self, folder: TaskFolder, split: str, language: str):
        self.answers = self._read(folder, split, language)
        self._scored_indices = [i for i, answer in enumerate(self.answers) if answer is not None]
        self._scored_answers = [self.answers[i] for i in self._scored_indices]
        self.total = len(self.answers)
        self.scored = len(self._scored_indices)

    @abstractmethod
    def _read(self, folder: TaskFolder, split: str, language: str) -> list[Any]:
        """Reads ``answers``."""

    @staticmethod
    @abstractmethod
    def count(predicted: Sequence[Any], answers: Sequence[Any]) -> tuple[float, ...]:
        """Computes the sums over the given examples from which ``scores`` computes the scores. The
        sums of batches and ranks can be added up.

        Args:
            predicted: the prediction for each example.
            answers: the right answer to each.
        """

    @staticmethod
    @abstractmethod
    def scores(*sums: Any) -> dict[str, float]:
        """Computes the scores in percent, by their keys, from sums of ``count``; 0 without
        examples."""

    def score(self, predicted: Sequence[Any]) -> dict[str, float]:
        """Computes the scores of the predictions for all examples."""
        return self.scores(*self.count(self._of_scored(predicted), self._scored_answers))

    @abstractmethod
    def outcomes(self, predicted: Sequence[Any]) -> np.ndarray:
        """Returns (N, 2): what each of N scored examples adds to numerator and denominator of the
        score."""

    @abstractmethod
    def digest(self) -> str:
        """Returns a digest of what is scored: two results with the same digest can be compared."""

    @abstractmethod
    def baseline(self) -> dict[str, float]:
        """Computes the scores of the trivial predictions that ``baseline_name`` names, by the keys
        of ``headings``."""

    def for_submission(self, predicted: Sequence[Any]) -> Sequence[Any] | dict[str, Any]:
        """Returns the predictions in the form in which a submission to XTREME holds them."""
        return predicted

    def n_best(self, predicted: Sequence[Any]) -> dict[str, Any]:
        """Returns several predictions for each example, by its id.

        Raises:
            NotImplementedError: the kind does not have ids (``by_id``); ``evaluate`` does not ask.
        """
        raise NotImplementedError

    @classmethod
    def remarks(cls, task: str) -> list[str]:
        """Returns notes on how XTREME's score of a task relates to these scores."""
        return []

    def _of_scored(self, predicted: Sequence[Any]) -> list[Any]:
        """Keeps the predictions for the examples that are scored."""
        return [predicted[i] for i in self._scored_indices]


def label_names(folder: TaskFolder, numbers: np.ndarray) -> np.ndarray:
    """Looks up the labels of numbers, "" for -1 (no label): an int array -> a str array of its
    shape."""
    return np.array([*folder.labels, ""], dtype=object)[numbers]
