"""Pairs of sentences that have a label: entailment, paraphrase.

The arrays of N pairs: ``first_tokens`` and ``second_tokens`` int32, the subwords of all first and
of all second sentences; ``first_lengths`` and ``second_lengths`` (N,) int32, the subwords of each;
``labels`` (N,) int16, the number of each pair's label, -1 where the file has none.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset, joined, offsets, subword_capacity
from fairseq_amber.data.finetuning.gold import Gold, label_names
from fairseq_amber.data.finetuning.learning import Learning, label_texts
from fairseq_amber.data.finetuning.settings import XtremePairConfig
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, pair_row
from fairseq_amber.files.digest import digest_of
from fairseq_amber.metrics.outcomes import accuracy_outcomes


class ClassificationDataset(TaskDataset):
    """Pairs in rows ``<s> x </s> y </s>``. If a pair is longer than a row, the longer sentence is
    cut first, as BERT does.

    A batch of B pairs also has ``target`` (B,) int64, their labels, -1 where a pair has none.
    """

    head = "classification"

    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        most = subword_capacity(self.settings, PAIR_SPECIALS, 2, "two sentences")
        self._first, self._second = (joined(parts, f"{x}_tokens") for x in ("first", "second"))
        first, second = (joined(parts, f"{x}_lengths") for x in ("first", "second"))
        self._first_starts, self._second_starts = offsets(first), offsets(second)
        self._labels = joined(parts, "labels")
        half = most // 2
        self._first_kept = np.minimum(first, np.maximum(most - half, most - second))
        self._second_kept = np.minimum(second, np.maximum(half, most - first))
        self.sizes = (self._first_kept + self._second_kept).astype(np.int64) + PAIR_SPECIALS
        return [len(part["labels"]) for part in parts]

    def _example(self, index: int) -> dict[str, Any]:
        x, y = (
            tokens[starts[index] : starts[index] + kept[index]]
            for tokens, starts, kept in (
                (self._first, self._first_starts, self._first_kept),
                (self._second, self._second_starts, self._second_kept),
            )
        )
        return {
            "rows": [pair_row(x, y, self.settings.specials)],
            "prefix": len(x) + SENTENCE_SPECIALS,
            "label": int(self._labels[index]),
        }

    def _complete(self, batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        self._add_segments_and_positions(batch, [sample["prefix"] for sample in samples])
        batch["target"] = torch.tensor([sample["label"] for sample in samples])


class ClassificationGold(Gold):
    """The label of each pair; a pair without one is not scored. A prediction is a label."""

    metric = "accuracy"
    headings = {"accuracy": "accuracy"}
    baseline_name = "most frequent label"
    sum_names = ("correct_pairs", "pairs")
    logged = ("accuracy",)

    def _read(self, folder: TaskFolder, split: str, language: str) -> list[str | None]:
        labels = label_names(folder, folder.arrays(split, language)["labels"])
        return [label or None for label in labels]

    @staticmethod
    def count(predicted: Sequence[str], answers: Sequence[str]) -> tuple[float, ...]:
        """Counts the pairs with the correct label, and all pairs."""
        correct = sum(found == gold for found, gold in zip(predicted, answers))
        return float(correct), float(len(answers))

    @staticmethod
    def scores(*sums: Any) -> dict[str, float]:
        """Computes the accuracy in percent from the two counts of ``count``."""
        correct, pairs = sums
        return {"accuracy": 100 * (correct / pairs) if pairs else 0.0}

    def outcomes(self, predicted: Sequence[str]) -> np.ndarray:
        """Returns (N, 2) float32: for each pair the numerator, which is 1 for a correct label and 0
        for a wrong one, and the denominator, which is 1."""
        pairs = zip(self._of_scored(predicted), self._scored_answers)
        return accuracy_outcomes(np.array([found == gold for found, gold in pairs]))

    def digest(self) -> str:
        """Returns a digest of the labels. The folder has the sentences only as subwords of one
        model."""
        return digest_of(self._scored_answers)

    def baseline(self) -> dict[str, float]:
        """Computes the accuracy of giving all pairs the label that most of them have."""
        most = max(self._scored_answers.count(label) for label in set(self._scored_answers))
        return {"accuracy": 100 * most / self.scored}


class Classification(Learning):
    """The learning of classification: one label for each pair."""

    dataset = ClassificationDataset
    gold = ClassificationGold
    config = XtremePairConfig
    row_settings = ("max_length", "pair_positions", "pair_segments")

    def predictions(
        self, chosen: torch.Tensor, batch: dict[str, Any], labels: Sequence[str]
    ) -> list[str]:
        """Looks up the label of each pair: ``chosen`` (M,) int64 -> M labels."""
        return label_texts(chosen, labels)
