"""Questions whose answers are spans of a context, which is read through windows.

The arrays of P contexts of T subwords in all and Q questions, all int32:

- ``context_tokens`` (T,), ``context_lengths`` (P,).
- ``context_offsets`` (T, 2): the characters [begin, end) of its context that each subword covers.
- ``question_tokens``, ``question_lengths`` (Q,).
- ``paragraph`` (Q,): the number of each question's context.
- ``answer_tokens`` (Q, 2): the first and the last subword of that context that cover the
  question's first answer; -1 -1 where the question has no answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from fairseq_amber.data.finetuning.gold import Gold
from fairseq_amber.data.finetuning.learning import Decoding, Learning
from fairseq_amber.data.finetuning.question_windows import QuestionDataset
from fairseq_amber.data.finetuning.settings import XtremeQaConfig
from fairseq_amber.data.finetuning.squad_file import Question, read_squad
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import digest_of
from fairseq_amber.metrics.answers import Span, answer_text, best_answers
from fairseq_amber.metrics.question_answering import (
    MAX_ANSWER_TOKENS,
    MLQA_LANGUAGES,
    AnswerScores,
    mlqa_scores,
    squad_scores,
)

_GUESSES_SEED = 1


class AskedQuestion(NamedTuple):
    """A question that is scored.

    Attributes:
        answers: the texts that are right.
        context: the text that holds the answer.
        offsets: (L, 2) the characters [begin, end) of each of the context's subwords.
        mlqa_language: the language whose rules of MLQA score the answer; None for SQuAD's rules.
    """

    answers: list[str]
    context: str
    offsets: np.ndarray
    mlqa_language: str | None

    def score(self, spans: Sequence[Span]) -> AnswerScores:
        """Scores the best of the predicted spans, which is the first."""
        text = answer_text(self.context, self.offsets, spans[0])
        if self.mlqa_language is None:
            return squad_scores(text, self.answers)
        return mlqa_scores(text, self.answers, self.mlqa_language)


class AnswerGold(Gold):
    """Questions with their answers; a question without an answer is not scored.

    A prediction is a list of spans of the context's subwords, the best first.
    """

    metric = "F1"
    headings = {"f1": "F1", "em": "EM"}
    baseline_name = "random spans"
    sum_names = ("em_sum", "f1_sum", "questions")
    logged = ("em", "f1")
    by_id = True

    def _read(self, folder: TaskFolder, split: str, language: str) -> list[AskedQuestion | None]:
        check_languages(folder.task, [language], "--languages")
        arrays = folder.arrays(split, language)
        ends = np.cumsum(arrays["context_lengths"])
        self._offsets = np.split(arrays["context_offsets"], ends[:-1])
        path = folder.examples_path(split, language)
        file = read_squad(path, unique_ids=False)
        self._contexts, self._questions = file.contexts, file.questions
        if not self._fits(arrays):
            raise folder.damaged(path)
        self.repeated = len(self._questions) - len({question.id for question in self._questions})
        rules = language if folder.task == "mlqa" else None
        return [self._asked(question, rules) for question in self._questions]

    def _fits(self, arrays: dict[str, np.ndarray]) -> bool:
        """Returns whether the text is the one that was encoded, as far as the arrays tell."""
        if len(self._contexts) != len(self._offsets):
            return False
        pairs = zip(self._contexts, self._offsets)
        within = all(offsets.max(initial=0) <= len(context) for context, offsets in pairs)
        asked = [question.context for question in self._questions]
        return within and asked == arrays["paragraph"].tolist()

    def _asked(self, question: Question, rules: str | None) -> AskedQuestion | None:
        if not question.answers:
            return None
        answers = [answer.text for answer in question.answers]
        context_index = question.context
        return AskedQuestion(
            answers, self._contexts[context_index], self._offsets[context_index], rules
        )

    @staticmethod
    def count(
        predicted: Sequence[Sequence[Span]], answers: Sequence[AskedQuestion]
    ) -> tuple[float, ...]:
        """Sums exact match and F1, each in 0..1 for a question, and counts the questions."""
        scores = [question.score(spans) for question, spans in zip(answers, predicted)]
        return sum(s.em for s in scores), sum(s.f1 for s in scores), float(len(scores))

    @staticmethod
    def scores(*sums: Any) -> dict[str, float]:
        """Computes F1 and exact match in percent: by MLQA's rules for that task, else by
        SQuAD's."""
        em, f1, questions = sums
        if not questions:
            return {"f1": 0.0, "em": 0.0}
        return {"f1": 100 * f1 / questions, "em": 100 * em / questions}

    def outcomes(self, predicted: Sequence[Sequence[Span]]) -> np.ndarray:
        """Returns (N, 2): for each question the numerator, which is its F1, and the denominator,
        which is 1."""
        pairs = zip(self._scored_answers, self._of_scored(predicted))
        return np.array([(question.score(spans).f1, 1.0) for question, spans in pairs])

    def digest(self) -> str:
        """Returns a digest of the questions that are scored, their contexts and their answers."""
        scored = [question for question in self._questions if question.answers]
        texts = ((q.id, q.text, self._contexts[q.context]) for q in scored)
        answers = ([f"{a.start} {a.text}" for a in q.answers] for q in scored)
        return digest_of(*texts, *answers)

    def baseline(self) -> dict[str, float]:
        """Scores random spans of at most 30 subwords, which are drawn with a fixed seed."""
        rng = np.random.default_rng(_GUESSES_SEED)
        lengths = [len(self._offsets[question.context]) for question in self._questions]
        first = rng.integers(0, lengths)
        last = first + rng.integers(0, MAX_ANSWER_TOKENS, len(lengths))
        last = np.minimum(last, np.array(lengths) - 1)
        return self.score([[Span(int(i), int(j), 0.0)] for i, j in zip(first, last)])

    def for_submission(self, predicted: Sequence[Sequence[Span]]) -> dict[str, str]:
        """Returns the text of the best answer to each question, by the question's id."""
        return {
            question.id: self._text(question, spans[0])
            for question, spans in zip(self._questions, predicted)
        }

    def n_best(self, predicted: Sequence[Sequence[Span]]) -> dict[str, list[dict[str, Any]]]:
        """Returns the text and the score of every answer to each question, by the question's id."""
        return {
            question.id: [
                {"text": self._text(question, span), "score": span.score} for span in spans
            ]
            for question, spans in zip(self._questions, predicted)
        }

    def _text(self, question: Question, span: Span) -> str:
        return answer_text(self._contexts[question.context], self._offsets[question.context], span)

    @classmethod
    def remarks(cls, task: str) -> list[str]:
        """Notes which score XTREME reports for question answering."""
        return ["XTREME's QA score is the mean of F1 and EM"]


class QuestionAnswering(Learning):
    """The learning of question answering: the head scores each token as the first and as the last
    token of the answer."""

    dataset = QuestionDataset
    gold = AnswerGold
    config = XtremeQaConfig
    row_settings = (
        "max_length",
        "doc_stride",
        "max_query_length",
        "pair_positions",
        "pair_segments",
    )
    decoding_settings = ("max_answer_tokens",)
    any_task = True

    def outputs(self, labels: Sequence[str]) -> int:
        """Returns 2: a token has a score as the first token of the answer and one as the last."""
        return 2

    def loss(self, scores: Tensor, batch: dict[str, Any], pad: int) -> Tensor:
        """Computes the loss of each window and sums over windows. The loss of a window is the mean
        of two cross-entropies over all tokens of its row: those of the answer's first and last
        token (Devlin et al. 2019, arXiv 1810.04805, section 4.2).

        Args:
            scores: (R, T, 2) scores of the model's head.
            batch: the batch, with ``target`` (R, 2), -1 where the question has no answer.
            pad: the id of the padding.
        """
        padding = batch["net_input"]["src_tokens"].eq(pad)
        # Otherwise the loss of a row would depend on the longest row of its batch.
        scores = scores.masked_fill(padding.unsqueeze(2), float("-inf"))
        ends = F.cross_entropy(scores, batch["target"], ignore_index=-1, reduction="sum")
        return ends / 2

    def choose(self, scores: Tensor, batch: dict[str, Any], decoding: Decoding) -> list[list[Span]]:
        """Chooses the best spans of each question from (R, T, 2) scores; see ``best_answers``."""
        return best_answers(
            scores,
            batch["windows"],
            n_best=decoding.n_best,
            max_answer_tokens=decoding.max_answer_tokens,
        )

    def predictions(
        self, chosen: list[list[Span]], batch: dict[str, Any], labels: Sequence[str]
    ) -> list[list[Span]]:
        """Returns the spans that ``choose`` returned: those of each question, the best first."""
        return chosen

    def check_languages(self, task: str, languages: Sequence[str], flag: str) -> None:
        """Checks that MLQA, if it is the task, has rules for these languages."""
        check_languages(task, languages, flag)


def check_languages(task: str, languages: Sequence[str], flag: str) -> None:
    """Checks that the answers of a task can be scored in these languages.

    Args:
        task: the task's name.
        languages: the languages.
        flag: the flag that chooses them, for the error.

    Raises:
        UserError: the task is MLQA, and its script has no rules for one of the languages.
    """
    others = ", ".join(name for name in languages if name not in MLQA_LANGUAGES)
    if task == "mlqa" and others:
        raise UserError(
            f"MLQA's script has no rules for {others}; it scores {', '.join(MLQA_LANGUAGES)}: "
            f"leave {others} out by {flag}, or prepare that text as the task squad"
        )
