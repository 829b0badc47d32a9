"""Pairs of sentences that have a label: entailment, paraphrase."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset, joined, offsets, room
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, pair_row


class ClassificationDataset(TaskDataset):
    """One example is one pair, ``<s> x </s> y </s>``; of one longer than a row the longer sentence
    is cut first, as BERT does.

    A batch also has ``target`` (B,) int64, the labels, -1 where there is none.
    """

    head = "classification"

    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        most = room(self.settings, PAIR_SPECIALS, 2, "two sentences")
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
        self._tell_parts(batch, [sample["prefix"] for sample in samples])
        batch["target"] = torch.tensor([sample["label"] for sample in samples])
