"""The files of a split in a language, read and checked, and the arrays that they become."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from itertools import chain
from pathlib import Path
from typing import Callable, Mapping, Sequence

import numpy as np

from fairseq_amber.data.finetuning.squad_file import parse_squad
from fairseq_amber.data.finetuning.task_folder import KINDS
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.encoder import Encoded, TextEncoder
from fairseq_amber.preparation.task.labels import LabelledFile, number_labels
from fairseq_amber.preparation.task.pair_file import read_pairs
from fairseq_amber.preparation.task.tagged_file import read_tagged
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN

Arrays = Mapping[str, np.ndarray]


class Examples(ABC):
    """What `data.finetuning.task_folder` describes, before it is encoded. paths: the files. labels:
    the different ones that they hold. text: for <split>.<language>.json, if the kind of task has
    it."""

    paths: Sequence[Path]
    labels: frozenset[str] = frozenset()
    text: bytes | None = None

    @property
    @abstractmethod
    def number(self) -> int:
        """Sentences, pairs or questions."""

    @abstractmethod
    def settle_labels(self, labels: Sequence[str], origin: str) -> None:
        """Numbers their labels.

        Raises:
            UserError: a label that is not among these, which are ``origin``'s (naming its line).
        """

    @abstractmethod
    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        """Their arrays; after `settle_labels`."""


class _Labelled(Examples):
    def __init__(self, files: Sequence[LabelledFile]):
        self._files = files
        self.paths = [file.path for file in files]
        self.labels = frozenset(chain.from_iterable(file.labels for file in files)) - {""}

    def settle_labels(self, labels: Sequence[str], origin: str) -> None:
        self._numbers = number_labels(self._files, labels, origin)


class Sentences(_Labelled):
    """Tagging."""

    def __init__(self, paths: Sequence[Path], split: str):
        files = [read_tagged(path, labelled=split != "test") for path in paths]
        super().__init__(files)
        self._words = [word for file in files for word in file.words]
        self._lengths = [length for file in files for length in file.sentence_lengths]

    @property
    def number(self) -> int:
        return len(self._lengths)

    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        tokens, lengths = encoder.encode(self._words)
        ends = np.cumsum(lengths, dtype=np.int64)
        tokens = np.insert(tokens, ends[lengths == 0], UNKNOWN)
        lengths = np.maximum(lengths, 1)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        bare = np.isin(tokens[starts], encoder.bare_spaces) & (lengths > 1)
        return {
            "tokens": tokens,
            "word_lengths": lengths,
            "word_heads": bare.astype(np.int32),
            "sentence_lengths": np.array(self._lengths, np.int32),
            "labels": self._numbers,
        }


class Pairs(_Labelled):
    """Classification."""

    def __init__(self, paths: Sequence[Path], split: str):
        files = [read_pairs(path, labelled=split != "test") for path in paths]
        super().__init__(files)
        self._sides = {
            "first": [text for file in files for text in file.first],
            "second": [text for file in files for text in file.second],
        }

    @property
    def number(self) -> int:
        return len(self._sides["first"])

    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        arrays = {}
        for side, texts in self._sides.items():
            arrays[f"{side}_tokens"], arrays[f"{side}_lengths"] = encoder.encode(texts)
        return {**arrays, "labels": self._numbers}


class Questions(Examples):
    """Question answering."""

    def __init__(self, paths: Sequence[Path], split: str):
        self.paths = paths
        unique = split == "test"  # whose answers a submission tells apart by their ids
        contents = [_read(path) for path in paths]
        parts = [
            parse_squad(content, str(path), unique_ids=unique)
            for path, content in zip(paths, contents)
        ]
        if len(parts) == 1:
            self.text, self._squad = contents[0], parts[0]
        else:
            self.text = _joined(contents)
            self._squad = parse_squad(self.text, " + ".join(map(str, paths)), unique_ids=unique)

    @property
    def number(self) -> int:
        return len(self._squad.questions)

    def settle_labels(self, labels: Sequence[str], origin: str) -> None:
        pass

    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        contexts, questions = self._squad
        encoded, offsets = encoder.encode_with_offsets(contexts)
        asked = encoder.encode([question.text for question in questions])
        paragraph = np.array([question.context for question in questions], np.int32)
        answers = [question.answers[:1] for question in questions]
        spans = [(a.start, a.start + len(a.text)) for some in answers for a in some]
        answered = np.array([bool(some) for some in answers])
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

    def exact_answers(self, arrays: Arrays) -> int:
        """First answers that their tokens give back character for character."""
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


_KINDS: dict[str, Callable[[Sequence[Path], str], Examples]] = {
    "tagging": Sentences,
    "classification": Pairs,
    "qa": Questions,
}


def read_examples(task: str, split: str, paths: Sequence[Path]) -> Examples:
    """Reads the files of a split in a language.

    Raises:
        UserError: anything wrong with them but their labels.
    """
    return _KINDS[KINDS[task]](paths, split)


def covering_tokens(
    contexts: Encoded, offsets: np.ndarray, paragraph: np.ndarray, spans: np.ndarray
) -> np.ndarray:
    """(n, 2) int32: the first and the last token of the fewest that cover each span of characters;
    -1 -1 where no token stands for any of them.

    Args:
        offsets: (T, 2) of all tokens, neither column falling within a context.
        paragraph: (n,) the context of each span.
        spans: (n, 2) characters [begin, end).
    """
    ends = np.cumsum(contexts.lengths, dtype=np.int64)
    found = np.empty((len(spans), 2), np.int32)
    for i, (context, (begin, end)) in enumerate(zip(paragraph, spans)):
        own = offsets[ends[context] - contexts.lengths[context] : ends[context]]
        first = np.searchsorted(own[:, 1], begin, side="right")
        last = np.searchsorted(own[:, 0], end, side="left") - 1
        while first < last and own[first, 0] == own[first, 1]:
            first += 1  # a bare U+2581 behind a span's own white space
        found[i] = (first, last) if first <= last else (-1, -1)
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _joined(contents: Sequence[bytes]) -> bytes:
    """One SQuAD file of several."""
    articles = [json.loads(content.decode("utf-8-sig"))["data"] for content in contents]
    joined = {"version": "joined", "data": list(chain.from_iterable(articles))}
    return json.dumps(joined, ensure_ascii=False).encode("utf-8")
