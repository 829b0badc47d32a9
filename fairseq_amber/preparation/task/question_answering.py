"""Reads questions, their contexts and their answers, in SQuAD's format."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Sequence

import numpy as np

from fairseq_amber.data.finetuning.squad_file import SquadFile, parse_squad
from fairseq_amber.errors import warn
from fairseq_amber.files.compressed import open_plain
from fairseq_amber.preparation.task.encoder import Encoded, TextEncoder
from fairseq_amber.preparation.task.examples import Arrays, Examples, ReadingOptions

_SQUAD = ("squad/train-v1.1.json", "squad/dev-v1.1.json")
_MLQA = "mlqa/MLQA_V1/{0}/{0}-context-LANG-question-LANG.json"
_TYDIQA = "tydiqa/tydiqa-goldp-v1.1-{0}/tydiqa.goldp.LANG.{0}.json"


class Questions(Examples):
    """Questions about contexts, whose answers are spans of their context."""

    unit = "questions"
    token_arrays = ("context_tokens", "question_tokens")
    part_arrays = {"contexts": "context_lengths"}
    xtreme_files = {
        "squad": (*_SQUAD, "xquad/xquad.LANG.json"),
        "mlqa": (_SQUAD[0], _MLQA.format("dev"), _MLQA.format("test")),
        "tydiqa": (_TYDIQA.format("train"), None, _TYDIQA.format("dev")),
    }
    options = ("skip_misfits",)

    def __init__(self, paths: Sequence[Path], split: str, skip_misfits: bool = False):
        self.paths = paths
        unique = split == "test"  # a submission tells the answers apart by these ids
        parts = [
            parse_squad(_read_plain(path), str(path), unique_ids=unique, skip_misfits=skip_misfits)
            for path in paths
        ]
        for path, part in zip(paths, parts):
            _warn_of_oddities(path, part, split)
        if len(parts) == 1:
            self._squad = parts[0]
        else:
            content = _joined([part.content for part in parts])
            self._squad = parse_squad(content, " + ".join(map(str, paths)), unique_ids=unique)
        self.text = self._squad.content

    @classmethod
    def read(cls, paths: Sequence[Path], split: str, options: ReadingOptions) -> Questions:
        return cls(paths, split, options.skip_misfits)

    @property
    def number(self) -> int:
        return len(self._squad.questions)

    def settle_labels(self, labels: Sequence[str], origin: str) -> None:
        """Does nothing, because answers have no labels."""

    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        contexts, questions = self._squad.contexts, self._squad.questions
        encoded, offsets = encoder.encode_with_offsets(contexts)
        asked = encoder.encode([question.text for question in questions])
        paragraph = np.array([question.context for question in questions], np.int32)
        answers = [question.answers[:1] for question in questions]
        spans = [
            (a.start, a.start + len(a.text)) for first_answers in answers for a in first_answers
        ]
        answered = np.array([bool(first_answers) for first_answers in answers])
        answer_tokens = np.full((len(questions), 2), -1, np.int32)
        answer_tokens[answered] = covering_tokens(
            encoded, offsets, paragraph[answered], np.array(spans).reshape(-1, 2)
        )
        return {
            "context_tokens": encoded.tokens,
            "context_lengths": encoded.lengths,
            "context_offsets": offsets,
            "question_tokens": asked.tokens,
            "question_lengths": asked.lengths,
            "paragraph": paragraph,
            "answer_tokens": answer_tokens,
        }

    def occurrences(self, arrays: Arrays, labels: Sequence[str]) -> dict[str, int]:
        """Returns the number of answers, and how many of them their subwords give back exactly."""
        answers = int(np.count_nonzero(arrays["answer_tokens"][:, 0] >= 0))
        return {"answers": answers, "exact": self._exact_answers(arrays)}

    def _exact_answers(self, arrays: Arrays) -> int:
        """Counts the first answers that their tokens give back character for character."""
        starts = np.cumsum(arrays["context_lengths"]) - arrays["context_lengths"]
        exact = 0
        for question, (first, last) in zip(self._squad.questions, arrays["answer_tokens"].tolist()):
            if first >= 0:
                start = starts[question.context]
                begin = arrays["context_offsets"][start + first, 0]
                end = arrays["context_offsets"][start + last, 1]
                text = question.answers[0].text
                exact += begin == question.answers[0].start and end == begin + len(text)
        return exact


def covering_tokens(
    contexts: Encoded, offsets: np.ndarray, paragraph: np.ndarray, spans: np.ndarray
) -> np.ndarray:
    """Returns the shortest runs of tokens that cover some spans of characters.

    Args:
        contexts: the tokens of all contexts.
        offsets: (T, 2) the characters [begin, end) of each token in its context; neither column
            falls within a context.
        paragraph: (n,) the number of each span's context.
        spans: (n, 2) the characters [begin, end) of each span.

    Returns:
        (n, 2) int32: the first and the last token of each run; -1 -1 if no token stands for a
        character of the span.
    """
    ends = np.cumsum(contexts.lengths, dtype=np.int64)
    found = np.empty((len(spans), 2), np.int32)
    for i, (context, (begin, end)) in enumerate(zip(paragraph, spans)):
        own = offsets[ends[context] - contexts.lengths[context] : ends[context]]
        first = np.searchsorted(own[:, 1], begin, side="right")
        last = np.searchsorted(own[:, 0], end, side="left") - 1
        while first < last and own[first, 0] == own[first, 1]:
            first += 1  # the token is a bare U+2581, which stands for white space at the beginning
        found[i] = (first, last) if first <= last else (-1, -1)
    return found


def _warn_of_oddities(path: Path, file: SquadFile, split: str) -> None:
    """Counts in one warning the questions and answers that are not as in SQuAD 1.1."""
    total = len(file.questions)
    open_questions = sum(not question.answers for question in file.questions)
    notes = []
    if file.misfits:
        notes.append(
            f"{file.misfits:,} questions are left out, because an answer is not in the context"
        )
    if file.recoded:
        notes.append(
            f"{file.recoded:,} answers are composed of other characters than in their context "
            "(NFC, NFD), and taken as they are there"
        )
    held_back = split == "test" and open_questions == total and not file.impossible
    if open_questions and not held_back:
        marked = f" ({file.impossible:,} by SQuAD 2.0's is_impossible)" if file.impossible else ""
        notes.append(
            f"{open_questions:,} of {total:,} questions have no answer{marked}: they are neither "
            "trained on nor scored, and no prediction says that there is no answer"
        )
    if notes:
        warn(f"{path}: {'; '.join(notes)}")


def _read_plain(path: Path) -> bytes:
    with open_plain(path) as file:
        return file.read()


def _joined(contents: Sequence[bytes]) -> bytes:
    """Returns the content of one SQuAD file with the articles of several."""
    articles = [json.loads(content.decode("utf-8-sig"))["data"] for content in contents]
    joined = {"version": "joined", "data": list(chain.from_iterable(articles))}
    return json.dumps(joined).encode("ascii")
