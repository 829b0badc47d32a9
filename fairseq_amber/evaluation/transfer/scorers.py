"""One split of a task in one language: how predictions score, and what guessing would score.

A kind of task has the attributes ``metric``, the name of its score, and ``headings``, the names of
its numbers by their keys, the score first; all numbers are percentages. What has no gold is not
scored: sentences with a word without a label, pairs without a label, questions without an answer.
Of ``total`` examples ``scored`` are, and ``repeated`` have the id of an earlier one.
The digest is that of the gold, whose words are not there but as subwords of a model; of questions
it is that of all their text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from fairseq_amber.files.digest import digest_of
from fairseq_amber.metrics.outcomes import accuracy_outcomes
from fairseq_amber.metrics.question_answering import (
    AnswerScores,
    check_languages,
    mlqa_scores,
    squad_scores,
)
from fairseq_amber.metrics.tagging import count_tags, tag_scores

if TYPE_CHECKING:
    from fairseq_amber.data.finetuning.squad_file import Question
    from fairseq_amber.data.finetuning.task_folder import TaskFolder
    from fairseq_amber.metrics.answers import Span

_GUESSES_SEED = 1


class Tagging:
    """Sentences whose words have labels. Predictions: the labels of each sentence."""

    metric = "F1"
    headings = {"f1": "F1", "accuracy": "accuracy"}
    baseline_name = "best constant label"
    repeated = 0

    def __init__(self, folder: TaskFolder, split: str, language: str):
        arrays = folder.arrays(split, language)
        labels = _names(folder, arrays["labels"])
        ends = np.cumsum(arrays["sentence_lengths"])
        gold = [part.tolist() for part in np.split(labels, ends[:-1])] if len(ends) else []
        self.total = len(gold)
        self._scored = [i for i, sentence in enumerate(gold) if "" not in sentence]
        self._gold = [gold[i] for i in self._scored]
        self.scored = len(self._gold)

    def for_submission(self, predicted: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        """What a submission holds."""
        return predicted

    def score(self, predicted: Sequence[Sequence[str]]) -> dict[str, float]:
        """F1, precision and recall of chunks, and accuracy of words; see `tag_scores`."""
        return tag_scores(count_tags([predicted[i] for i in self._scored], self._gold))

    def outcomes(self, predicted: Sequence[Sequence[str]]) -> np.ndarray:
        """(N, 2), of each sentence: twice its right chunks, over those predicted and in gold."""
        counts = [count_tags([predicted[i]], [gold]) for i, gold in zip(self._scored, self._gold)]
        pairs = [(2 * c.correct_chunks, c.predicted_chunks + c.gold_chunks) for c in counts]
        return np.array(pairs)

    def digest(self) -> str:
        """Of the labels."""
        return digest_of(*self._gold)

    def baseline(self) -> dict[str, float]:
        """The highest F1, and the highest accuracy, of giving all words one label."""
        labels = sorted({label for sentence in self._gold for label in sentence})
        scores = [
            tag_scores(count_tags([[label] * len(gold) for gold in self._gold], self._gold))
            for label in labels
        ]
        return {key: max(score[key] for score in scores) for key in self.headings}


class Classification:
    """Pairs of sentences that have a label. Predictions: a label for each."""

    metric = "accuracy"
    headings = {"accuracy": "accuracy"}
    baseline_name = "most frequent label"
    repeated = 0

    def __init__(self, folder: TaskFolder, split: str, language: str):
        labels = _names(folder, folder.arrays(split, language)["labels"])
        self.total = len(labels)
        self._scored = np.flatnonzero(labels != "")
        self._gold = labels[self._scored]
        self.scored = len(self._gold)

    def for_submission(self, predicted: Sequence[str]) -> Sequence[str]:
        """What a submission holds."""
        return predicted

    def score(self, predicted: Sequence[str]) -> dict[str, float]:
        """Accuracy."""
        return {"accuracy": 100 * float(self._right(predicted).mean())}

    def outcomes(self, predicted: Sequence[str]) -> np.ndarray:
        """(N, 2), of each pair: 1 or 0, over 1."""
        return accuracy_outcomes(self._right(predicted))

    def digest(self) -> str:
        """Of the labels."""
        return digest_of(self._gold)

    def _right(self, predicted: Sequence[str]) -> np.ndarray:
        return np.asarray(predicted, dtype=object)[self._scored] == self._gold

    def baseline(self) -> dict[str, float]:
        """Accuracy of giving all pairs the label that most of them have."""
        most = max(int((self._gold == label).sum()) for label in set(self._gold))
        return {"accuracy": 100 * most / self.scored}


class QuestionAnswering:
    """Questions about contexts. Predictions: the best spans of context tokens for each."""

    metric = "F1"
    headings = {"f1": "F1", "em": "EM"}
    baseline_name = "random spans"

    def __init__(self, folder: TaskFolder, split: str, language: str):
        from fairseq_amber.data.finetuning.squad_file import read_squad

        check_languages(folder.task, [language], "--languages")
        arrays = folder.arrays(split, language)
        ends = np.cumsum(arrays["context_lengths"])
        self._offsets = np.split(arrays["context_offsets"], ends[:-1])
        self._contexts, self._questions = read_squad(
            folder.examples_path(split, language), unique_ids=False
        )
        self._language = language if folder.task == "mlqa" else None
        self.total = len(self._questions)
        self.scored = sum(bool(question.answers) for question in self._questions)
        self.repeated = self.total - len({question.id for question in self._questions})

    def for_submission(self, predicted: Sequence[Sequence[Span]]) -> dict[str, str]:
        """The text that answers each question best, by the question's id."""
        return {
            question.id: self._text(question, spans[0])
            for question, spans in zip(self._questions, predicted)
        }

    def n_best(self, predicted: Sequence[Sequence[Span]]) -> dict[str, list[dict[str, Any]]]:
        """The text and the score of every answer to each question, by the question's id."""
        return {
            question.id: [
                {"text": self._text(question, span), "score": span.score} for span in spans
            ]
            for question, spans in zip(self._questions, predicted)
        }

    def _text(self, question: Question, span: Span) -> str:
        from fairseq_amber.metrics.answers import answer_text

        return answer_text(self._contexts[question.context], self._offsets[question.context], span)

    def score(self, predicted: Sequence[Sequence[Span]]) -> dict[str, float]:
        """F1 and exact match, by MLQA's rules for that task and by SQuAD's for all others."""
        em, f1 = (100 * sum(parts) / self.scored for parts in zip(*self._scores(predicted)))
        return {"f1": f1, "em": em}

    def outcomes(self, predicted: Sequence[Sequence[Span]]) -> np.ndarray:
        """(N, 2), of each question: its F1, over 1."""
        return np.array([(score.f1, 1.0) for score in self._scores(predicted)])

    def digest(self) -> str:
        """Of the questions that are scored, their contexts and answers."""
        scored = [question for question in self._questions if question.answers]
        texts = ((q.id, q.text, self._contexts[q.context]) for q in scored)
        answers = ([f"{a.start} {a.text}" for a in q.answers] for q in scored)
        return digest_of(*texts, *answers)

    def _scores(self, predicted: Sequence[Sequence[Span]]) -> list[AnswerScores]:
        return [
            self._score(self._text(question, spans[0]), question)
            for question, spans in zip(self._questions, predicted)
            if question.answers
        ]

    def baseline(self) -> dict[str, float]:
        """F1 and exact match of random spans, at most 30 tokens long, drawn with a fixed seed."""
        from fairseq_amber.metrics.answers import Span

        rng = np.random.default_rng(_GUESSES_SEED)
        lengths = [len(self._offsets[question.context]) for question in self._questions]
        first = rng.integers(0, lengths)
        last = np.minimum(first + rng.integers(0, 30, len(lengths)), np.array(lengths) - 1)
        return self.score([[Span(int(i), int(j), 0.0)] for i, j in zip(first, last)])

    def _score(self, prediction: str, question: Question) -> AnswerScores:
        answers = [answer.text for answer in question.answers]
        if self._language is None:
            return squad_scores(prediction, answers)
        return mlqa_scores(prediction, answers, self._language)


KINDS: dict[str, Any] = {
    "tagging": Tagging,
    "classification": Classification,
    "qa": QuestionAnswering,
}


def _names(folder: TaskFolder, numbers: np.ndarray) -> np.ndarray:
    """Labels by their numbers; "" for -1, which is none."""
    return np.array([*folder.labels, ""], dtype=object)[numbers]
