"""A fourth kind of fine-tuning task, written outside of the package: a grade of each sentence.

Its raw file has lines ``sentence<TAB>grade``, where grades are whole numbers from 0 up. The loss is
the squared error, and the score is the share of predictions that are right once they are rounded.
"""

from __future__ import annotations

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset, joined, offsets
from fairseq_amber.data.finetuning.gold import Gold
from fairseq_amber.data.finetuning.kinds import Kind
from fairseq_amber.data.finetuning.learning import Learning
from fairseq_amber.data.layout import SENTENCE_SPECIALS, sentence_row
from fairseq_amber.files.digest import digest_of
from fairseq_amber.preparation.task.examples import Examples

GRADING = Kind(
    name="grading",
    tasks=("grades",),
    raw_form="sentence<TAB>grade",
    arrays=("tokens", "lengths", "grades"),
    learning="toy_kind:Grading",
    examples="toy_kind:GradedSentences",
    subwords=("tokens",),
)


class GradingDataset(TaskDataset):
    head = "classification"

    def _read(self, parts, training):
        self._tokens, self._grades = joined(parts, "tokens"), joined(parts, "grades")
        lengths = joined(parts, "lengths")
        self._starts = offsets(lengths)
        self.sizes = lengths.astype(np.int64) + SENTENCE_SPECIALS
        return [len(part["grades"]) for part in parts]

    def _example(self, index):
        tokens = self._tokens[self._starts[index] : self._starts[index + 1]]
        return {
            "rows": [sentence_row(tokens, self.settings.specials)],
            "grade": self._grades[index],
        }

    def _complete(self, batch, samples):
        batch["target"] = torch.tensor([int(sample["grade"]) for sample in samples])


class GradingGold(Gold):
    metric = "accuracy"
    headings = {"accuracy": "accuracy"}
    baseline_name = "grade 0"
    sum_names = ("right_grades", "grades")
    logged = ("accuracy",)

    def _read(self, folder, split, language):
        return folder.arrays(split, language)["grades"].tolist()

    @staticmethod
    def count(predicted, answers):
        return float(sum(map(lambda p, a: p == a, predicted, answers))), float(len(answers))

    @staticmethod
    def scores(*sums):
        return {"accuracy": 100 * sums[0] / sums[1]}

    def outcomes(self, predicted):
        return np.array([(p == a, 1) for p, a in zip(predicted, self.answers)])

    def digest(self):
        return digest_of(map(str, self.answers))

    def baseline(self):
        return self.score([0] * self.total)

    def for_submission(self, predicted):
        return [str(grade) for grade in predicted]


class Grading(Learning):
    dataset = GradingDataset
    gold = GradingGold

    def outputs(self, labels):
        return 1

    def loss(self, scores, batch, pad):
        return (scores[:, 0] - batch["target"]).square().sum()

    def choose(self, scores, batch, decoding):
        return scores[:, 0].round().long()

    def predictions(self, chosen, batch, labels):
        return chosen.tolist()


class GradedSentences(Examples):
    unit = "graded sentences"
    token_arrays = ("tokens",)

    def __init__(self, paths, split):
        self.paths = paths
        lines = [line.split("\t") for path in paths for line in path.read_text().splitlines()]
        self._texts = [text for text, _ in lines]
        self._grades = np.array([int(grade) for _, grade in lines], np.int32)

    @property
    def number(self):
        return len(self._texts)

    def settle_labels(self, labels, origin):
        pass

    def encode(self, encoder):
        tokens, lengths = encoder.encode(self._texts)
        return {"tokens": tokens, "lengths": lengths, "grades": self._grades}

    def occurrences(self, arrays, labels):
        return {"highest": int(arrays["grades"].max())}
