"""Sentences whose words have labels: parts of speech, named entities.

The arrays of N sentences of W words and T subwords in all, int32 unless another type is named:

- ``tokens`` (T,).
- ``word_lengths`` (W,): the subwords of each word, at least 1.
- ``word_heads`` (W,): the number, from 0, of the subword that stands for the word and bears its
  label. It is the word's first subword, or the second where the first is a bare U+2581, which only
  says that a word begins (SentencePiece puts one before most Chinese characters that are words).
- ``sentence_lengths`` (N,): the words of each sentence.
- ``labels`` (W,) int16: the number of each word's label, -1 where the file has none.
- ``gaps`` (N + 1,): the lines without a word before each sentence of the raw file, and those after
  the last. A folder of an older version lacks it; then one empty line is between two sentences.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset, joined, offsets, subword_capacity
from fairseq_amber.data.finetuning.gold import Gold, label_names
from fairseq_amber.data.finetuning.learning import Learning, label_texts
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import SENTENCE_SPECIALS, sentence_row
from fairseq_amber.files.digest import digest_of
from fairseq_amber.metrics.tagging import TagCounts, count_tags, tag_scores


class TaggingDataset(TaskDataset):
    """Sentences; one subword of each word, mostly its first, stands for the word.

    A sentence that is longer than a row is cut between words into several rows, each as long as
    the words allow; a word that is longer than a row is cut to its first subwords. So every word is
    in exactly one row.

    A batch whose examples have M words in all, in their order, has three further entries:

    - ``net_input["token_indices"]``: (M,) int64, the flat index ``row * T + column`` of each word.
    - ``target``: (M,) int64, the label of each word, -1 where a word has none.
    - ``words``: a list of the number of words of each example.
    """

    head = "tagging"

    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        most = subword_capacity(self.settings, SENTENCE_SPECIALS, 1, "a word")
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
        """Returns the number of the word that each row of a sentence begins with, and the number
        after its last word."""
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
            # A word that is cut has a row of its own, so the kept tokens of a row are contiguous.
            length = self._kept[end] - self._kept[begin]
            rows.append(sentence_row(self._tokens[start : start + length], self.settings.specials))
            columns.append(self._heads[begin:end] - start + 1)  # after <s>
        return {"rows": rows, "columns": columns, "labels": self._labels[first:last]}

    def _complete(self, batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        columns = [row for sample in samples for row in sample["columns"]]
        width = batch["net_input"]["src_tokens"].size(1)
        word_positions = [row * width + row_columns for row, row_columns in enumerate(columns)]
        labels = [sample["labels"] for sample in samples]
        batch["net_input"]["token_indices"] = torch.from_numpy(np.concatenate(word_positions))
        batch["target"] = torch.from_numpy(np.concatenate(labels).astype(np.int64))
        batch["words"] = [len(label) for label in labels]


class TaggingGold(Gold):
    """The labels of the words of each sentence; a sentence with an unlabelled word is not scored.

    A prediction is the list of the labels of a sentence's words.
    """

    metric = "F1"
    headings = {"f1": "F1", "accuracy": "accuracy"}
    baseline_name = "best constant label"
    sum_names = TagCounts._fields
    logged = ("f1", "precision", "recall", "accuracy")

    def _read(self, folder: TaskFolder, split: str, language: str) -> list[list[str] | None]:
        arrays = folder.arrays(split, language)
        ends = np.cumsum(arrays["sentence_lengths"])
        labels = np.split(label_names(folder, arrays["labels"]), ends[:-1]) if len(ends) else []
        sentences = [part.tolist() for part in labels]
        usual = np.array([0, *[1] * (len(ends) - 1), 0])
        self._gaps = folder.optional_arrays(split, language).get("gaps", usual).tolist()
        return [None if "" in sentence else sentence for sentence in sentences]

    @staticmethod
    def count(predicted: Sequence[list[str]], answers: Sequence[list[str]]) -> TagCounts:
        """Counts the chunks for F1 and the words for the accuracy."""
        return count_tags(predicted, answers)

    @staticmethod
    def scores(*sums: Any) -> dict[str, float]:
        """Computes F1, precision and recall of chunks, and accuracy of words; see
        ``tag_scores``."""
        return tag_scores(TagCounts(*sums))

    def outcomes(self, predicted: Sequence[list[str]]) -> np.ndarray:
        """Returns (N, 2): twice the correct chunks of each sentence, and its predicted plus gold
        chunks."""
        pairs = zip(self._of_scored(predicted), self._scored_answers)
        counts = [count_tags([found], [gold]) for found, gold in pairs]
        return np.array(
            [(2 * c.correct_chunks, c.predicted_chunks + c.gold_chunks) for c in counts]
        )

    def digest(self) -> str:
        """Returns a digest of the labels. The folder has the words only as subwords of one
        model."""
        return digest_of(*self._scored_answers)

    def baseline(self) -> dict[str, float]:
        """Computes the highest F1 and the highest accuracy of giving one label to all words."""
        scores = [
            tag_scores(
                count_tags(
                    [[label] * len(gold) for gold in self._scored_answers], self._scored_answers
                )
            )
            for label in sorted({label for sentence in self._scored_answers for label in sentence})
        ]
        return {key: max(score[key] for score in scores) for key in self.headings}

    def for_submission(self, predicted: Sequence[list[str]]) -> list[str]:
        """Returns the lines of a submission: each label in the line of its word in the raw file,
        and an empty line for each line without a word, as XTREME's evaluate.py counts them."""
        lines: list[str] = []
        for gap, sentence in zip(self._gaps, predicted):
            lines += [""] * gap
            lines += sentence
        return lines + [""] * self._gaps[-1]

    @classmethod
    def remarks(cls, task: str) -> list[str]:
        """Notes which score XTREME reports for part-of-speech tagging."""
        if task != "pos":
            return []
        return ["XTREME's POS score is the F1: of chunks, where equal neighbours merge"]


class Tagging(Learning):
    """The learning of tagging: one label for each word."""

    dataset = TaggingDataset
    gold = TaggingGold

    def predictions(
        self, chosen: torch.Tensor, batch: dict[str, Any], labels: Sequence[str]
    ) -> list[list[str]]:
        """Looks up the labels of each sentence's words: ``chosen`` (M,) int64 -> a list for each
        sentence."""
        texts = label_texts(chosen, labels)
        ends = np.cumsum(batch["words"]).tolist()
        return [texts[end - count : end] for end, count in zip(ends, batch["words"])]
