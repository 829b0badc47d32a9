"""Encodes many texts in worker processes; a text that occurs again is encoded once."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from fairseq_amber.preparation.corpus.vocabulary import Vocabulary
from fairseq_amber.preparation.workers import WorkerPool
from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN
from fairseq_amber.tokenizers.offsets import PlacedSubwords, join
from fairseq_amber.tokenizers.subwords import MODEL_NAME, SPACE, Subwords

_TEXTS, _CONTEXTS = 2048, 64  # texts, or contexts, that a worker encodes in one call


class Encoded(NamedTuple):
    """N texts of T tokens in all.

    Attributes:
        tokens: (T,) int32, the ids of all texts, end to end.
        lengths: (N,) int32, the number of tokens of each text.
    """

    tokens: np.ndarray
    lengths: np.ndarray


class TextEncoder:
    """Encodes texts in the workers of a pool that was started with ``start_worker``.

    Args:
        pool: the worker processes.
        vocabulary: the tokenizer with its dictionary.

    Attributes:
        what: the text that the progress bar shows.
    """

    what = "encoding"

    def __init__(self, pool: WorkerPool, vocabulary: Vocabulary):
        self._pool = pool
        self._vocabulary = vocabulary
        self._ids = vocabulary.ids.astype(np.int32)

    @cached_property
    def bare_spaces(self) -> list[int]:
        """The ids of tokens that only say that a word begins, such as SentencePiece's U+2581."""
        tokenizer = self._vocabulary.tokenizer
        if MODEL_NAME not in tokenizer.files:
            return []
        pieces = tokenizer.load().pieces
        bare = [i for i, piece in enumerate(pieces) if piece is not None and not piece.strip(SPACE)]
        return [number for number in self._ids[bare].tolist() if number != UNKNOWN]

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Returns the ids of each text, without special tokens."""
        places: dict[str, int] = {}
        indices = np.fromiter(
            (places.setdefault(text, len(places)) for text in texts), np.int64, len(texts)
        )
        parts = self._in_chunks(_encode, list(places), _TEXTS)
        if not parts:
            return Encoded(np.zeros(0, np.int32), np.zeros(0, np.int32))
        numbers, lengths = map(np.concatenate, zip(*parts))
        return take(Encoded(self._ids[numbers], lengths.astype(np.int32)), indices)

    def encode_with_offsets(self, texts: Sequence[str]) -> tuple[Encoded, np.ndarray]:
        """Encodes texts, and finds the characters that each token stands for.

        Returns:
            The ids of each text, and (T, 2) int32: the characters [begin, end) of its text that
            each token stands for.
        """
        parts = self._in_chunks(_encode_with_offsets, texts, _CONTEXTS)
        numbers, lengths, offsets = join(parts)
        return Encoded(self._ids[numbers], lengths.astype(np.int32)), offsets

    def _in_chunks(self, function: Callable, texts: Sequence[str], size: int) -> list[Any]:
        calls = ((texts[start : start + size],) for start in range(0, len(texts), size))
        parts: list[Any] = []
        with Progress(total=len(texts), unit="texts", what=self.what) as progress:
            for part in self._pool.map(function, calls, waiting=progress.tick):
                progress.update(min(size, len(texts) - size * len(parts)))
                parts.append(part)
        return parts


def take(encoded: Encoded, indices: np.ndarray) -> Encoded:
    """Returns the texts at some indices, in that order.

    Args:
        encoded: N texts.
        indices: (n,) the indices of the texts to take; an index may occur several times.
    """
    starts = np.cumsum(encoded.lengths, dtype=np.int64) - encoded.lengths
    lengths = encoded.lengths[indices]
    shifts = starts[indices] - (np.cumsum(lengths, dtype=np.int64) - lengths)
    places = np.repeat(shifts, lengths)
    places += np.arange(len(places))
    return Encoded(encoded.tokens[places], lengths)


_subwords: Subwords  # the tokenizer of this worker process


def start_worker(vocabulary: Vocabulary) -> None:
    """Loads the tokenizer in this worker process."""
    global _subwords
    _subwords = vocabulary.tokenizer.load()


def _encode(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    return _subwords.encode(texts)


def _encode_with_offsets(texts: Sequence[str]) -> PlacedSubwords:
    return _subwords.encode_with_offsets(texts)
