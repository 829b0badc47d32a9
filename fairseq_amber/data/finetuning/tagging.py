"""Sentences whose words have labels: parts of speech, named entities."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset, joined, offsets, room
from fairseq_amber.data.layout import SENTENCE_SPECIALS, sentence_row


class TaggingDataset(TaskDataset):
    """One example is one sentence; one of a word's subwords, mostly the first, stands for it.

    A sentence longer than a row is cut between words into several, each as long as the words allow;
    a word longer than a row is cut to its first subwords. So every word is in exactly one row.

    A batch also has, of all M words of its examples in their order: ``net_input["at"]`` (M,) int64,
    the place ``row * T + column`` of each; ``target`` (M,) int64, their labels, -1 where there is
    none; and ``words``, how many each example has.
    """

    head = "tagging"

    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        most = room(self.settings, SENTENCE_SPECIALS, 1, "a word")
        self._tokens = joined(parts, "tokens")
        self._labels = joined(parts, "labels")
        lengths = joined(parts, "word_lengths")
        self._starts = offsets(lengths)
        self._kept = offsets(np.minimum(lengths, most))
        self._heads = self._starts[:-1] + np.minimum(joined(parts, "word_heads"), most - 1)
        self._words = offsets(joined(parts, "sentence_lengths"))
        subwords = np.diff(self._kept[self._words])
        self._cuts = {int(i): self._cut(int(i), most) for i in np.flatnonzero(subwords > most)}
        self.sizes = subwords + SENTENCE_SPECIALS
        for index, cuts in self._cuts.items():
            self.sizes[index] = (len(cuts) - 1) * self.settings.max_length
        return [len(part["sentence_lengths"]) for part in parts]

    def _cut(self, index: int, most: int) -> list[int]:
        """The word that each row of a sentence begins with, and where the last one ends."""
        first, last = self._words[index : index + 2].tolist()
        cuts = [first]
        while self._kept[last] - self._kept[cuts[-1]] > most:
            full = self._kept[cuts[-1]] + most
            cuts.append(int(np.searchsorted(self._kept, full, side="right")) - 1)
        return [*cuts, last]

    def _example(self, index: int) -> dict[str, Any]:
        first, last = self._words[index : index + 2].tolist()
        cuts = self._cuts.get(index, [first, last])
        rows, columns = [], []
        for begin, end in zip(cuts, cuts[1:]):
            start = self._starts[begin]
            # A cut word has a row of its own, so what is kept of a row's words is contiguous.
            length = self._kept[end] - self._kept[begin]
            rows.append(sentence_row(self._tokens[start : start + length], self.settings.specials))
            columns.append(self._heads[begin:end] - start + 1)  # after <s>
        return {"rows": rows, "columns": columns, "labels": self._labels[first:last]}

    def _complete(self, batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        columns = [row for sample in samples for row in sample["columns"]]
        width = batch["net_input"]["src_tokens"].size(1)
        at = [row * width + places for row, places in enumerate(columns)]
        labels = [sample["labels"] for sample in samples]
        batch["net_input"]["at"] = torch.from_numpy(np.concatenate(at))
        batch["target"] = torch.from_numpy(np.concatenate(labels).astype(np.int64))
        batch["words"] = [len(label) for label in labels]
