"""The rows of question answering: each question with a window over its context."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset, joined, offsets, subword_capacity
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, pair_row
from fairseq_amber.errors import UserError


class QuestionDataset(TaskDataset):
    """Questions, each with all its windows; in training, an example is one window.

    A row is ``<s> question </s> window </s>``. The question is cut to ``max_query_length``
    subwords. Windows fill the row and begin every ``doc_stride`` subwords, or sooner if the row
    holds fewer, until they cover the context, as BERT's do.

    A batch of R windows also has ``target`` (R, 2) int64, the columns of the first and of the last
    subword of the answer, 0 0 (the column of ``<s>``) if the window does not hold all of it, -1 -1
    if the question has no answer; and ``windows``, what ``metrics.answers.best_answers`` takes.
    """

    head = "qa"

    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        longest, stride = self.settings.max_query_length, self.settings.doc_stride
        for flag, value in (("--max-query-length", longest), ("--doc-stride", stride)):
            if value < 1:
                raise UserError(f"{flag} {value} is not 1 or more")
        content = f"a question of {longest} subwords (--max-query-length) and a context"
        most = subword_capacity(self.settings, PAIR_SPECIALS, longest + 1, content)
        self._contexts = joined(parts, "context_tokens")
        self._context_starts = offsets(joined(parts, "context_lengths"))
        self._questions = joined(parts, "question_tokens")
        question_lengths = joined(parts, "question_lengths")
        self._question_starts = offsets(question_lengths)
        before = offsets([len(part["context_lengths"]) for part in parts])
        paragraphs = [part["paragraph"] + shift for part, shift in zip(parts, before)]
        self._paragraph = np.concatenate(paragraphs)
        self._answers = joined(parts, "answer_tokens")
        self._query_lengths = np.minimum(question_lengths, longest)

        self._room = most - self._query_lengths.astype(np.int64)
        self._stride = np.minimum(self._room, stride)
        lengths = np.diff(self._context_starts)[self._paragraph]
        beyond = np.maximum(lengths - self._room, 0)
        windows = 1 + -(-beyond // self._stride)
        # The question of each example and, in training, the number of its one window.
        self._question = np.arange(len(windows))
        self._windows, self._window_numbers = windows, None
        widths = np.minimum(lengths, self._room) + self._query_lengths + PAIR_SPECIALS
        self.sizes = np.where(windows > 1, windows * self.settings.max_length, widths)
        ends = offsets([len(part["paragraph"]) for part in parts])
        if training:
            starts = offsets(windows)
            self._question = np.repeat(self._question, windows)
            self._window_numbers = np.arange(len(self._question)) - starts[self._question]
            begins = self._window_numbers * self._stride[self._question]
            inside = np.minimum(lengths[self._question] - begins, self._room[self._question])
            self.sizes = inside + self._query_lengths[self._question] + PAIR_SPECIALS
            ends = starts[ends]
        return np.diff(ends).tolist()

    def _example(self, index: int) -> dict[str, Any]:
        question = int(self._question[index])
        start = self._question_starts[question]
        query = self._questions[start : start + self._query_lengths[question]]
        paragraph = self._paragraph[question]
        context = self._contexts[slice(*self._context_starts[paragraph : paragraph + 2])]
        first, last = self._answers[question].tolist()
        stride, space = int(self._stride[question]), int(self._room[question])
        column = len(query) + SENTENCE_SPECIALS
        numbers: Sequence[int] = range(int(self._windows[question]))
        if self._window_numbers is not None:
            numbers = [self._window_numbers[index]]
        rows, windows, targets = [], [], []
        for number in numbers:
            begin = int(number) * stride
            window = context[begin : begin + space]
            rows.append(pair_row(query, window, self.settings.specials))
            windows.append((begin, len(window), column))
            if begin <= first and last < begin + len(window):
                targets.append((first - begin + column, last - begin + column))
            else:
                targets.append((-1, -1) if first < 0 else (0, 0))
        return {"rows": rows, "windows": windows, "targets": targets}

    def _complete(self, batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        windows = [
            (example, *window)
            for example, sample in enumerate(samples)
            for window in sample["windows"]
        ]
        names = ("example", "first", "length", "column")
        batch["windows"] = dict(zip(names, map(list, zip(*windows))))
        self._add_segments_and_positions(batch, batch["windows"]["column"])
        batch["target"] = torch.tensor([pair for sample in samples for pair in sample["targets"]])
