"""Turns blocks of lines into filtered token ids: the work of the worker processes."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.data.token_file import token_dtype
from fairseq_amber.errors import UserError
from fairseq_amber.files.text import Block, read_block
from fairseq_amber.preparation.corpus.settings import FilterSettings
from fairseq_amber.preparation.corpus.vocabulary import Vocabulary
from fairseq_amber.tokenizers.fairseq_order import EOS
from fairseq_amber.tokenizers.word_splitters import word_splitter
from fairseq_amber.tokenizers.word_starts import WordStarts

EMPTY, TOO_LONG, RATIO, DUPLICATE = REASONS = ("empty", "too long", "ratio", "duplicate")
RATIO_FLOOR = 5  # "Go!" may well be a sentence of 15 subwords in another language


class EncodedBlock(NamedTuple):
    """The lines of one block that the filters keep.

    Attributes:
        ids: for each language, the token ids of all lines end to end, each line with ``</s>``.
        sizes: for each language, (kept,) number of ids of each line.
        dropped: number of lines dropped for each reason.
        digests: (kept,) a digest of the ids of each line; empty unless duplicates are dropped.
        words: for each language, bool for its ids, True where a word begins; empty if they are not
            kept.
    """

    ids: tuple[np.ndarray, ...]
    sizes: tuple[np.ndarray, ...]
    dropped: dict[str, int]
    digests: list[bytes]
    words: tuple[np.ndarray, ...] = ()


class Encoder:
    """Encodes blocks of lines with one vocabulary and one set of filters.

    Args:
        vocabulary: the vocabulary.
        filters: the limits that decide which lines are dropped.
        word_boundaries: the kind of words whose beginnings are kept; None if none are.
    """

    def __init__(
        self, vocabulary: Vocabulary, filters: FilterSettings, word_boundaries: str | None = None
    ):
        self._word_boundaries = word_boundaries
        self._subwords = vocabulary.tokenizer.load()
        self._words = WordStarts(self._subwords)
        self._ids = vocabulary.ids.astype(token_dtype(vocabulary.size))
        self._filters = filters

    def encode(self, lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes lines, without special tokens.

        Returns:
            The token ids of all lines end to end, and (lines,) int64 the number of ids of each
            line.
        """
        pieces, lengths = self._subwords.encode(lines)
        return self._ids[pieces], lengths

    def encode_with_words(
        self, lines: list[str], language: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Encodes lines, and finds where their words begin.

        Returns:
            What ``encode`` returns, and bool for each id, True where a word begins.
        """
        assert self._word_boundaries is not None
        split = word_splitter(self._word_boundaries, language)
        numbers, lengths, starts = self._words.encode(lines, split)
        return self._ids[numbers], lengths, starts

    def encode_aligned(
        self, texts: Sequence[list[str]], split: str, languages: Sequence[str] = ()
    ) -> EncodedBlock:
        """Encodes aligned lines, one list for each language; keeps all lines of the test split.

        Args:
            texts: the lines of each language.
            split: train, valid or test.
            languages: the languages, if words are kept.
        """
        sides, starts = [], []
        for number, lines in enumerate(texts):
            if self._word_boundaries is None:
                sides.append(self.encode(lines))
            else:
                ids, sizes, begun = self.encode_with_words(lines, languages[number])
                sides.append((ids, sizes))
                starts.append(begun)
        lengths = [side_lengths for _, side_lengths in sides]
        dropped: dict[str, int] = {}
        kept = np.ones(len(lengths[0]), dtype=bool)
        if split != "test":
            for reason, mask in outliers(lengths, self._filters).items():
                dropped[reason] = int((mask & kept).sum())
                kept &= ~mask
        selected = [select(ids, sizes, kept) for ids, sizes in sides]
        closed = [append_last(ids, sizes, EOS) for ids, sizes in selected]
        ids, sizes = zip(*closed)
        wanted = self._filters.deduplicate and split == "train"
        words = tuple(
            append_last(*select(begun, side_lengths, kept), True)[0]
            for begun, side_lengths in zip(starts, lengths)
        )
        return EncodedBlock(ids, sizes, dropped, line_digests(closed) if wanted else [], words)


_encoder: Encoder  # the encoder of this worker process


def start_encoder(
    vocabulary: Vocabulary, filters: FilterSettings, word_boundaries: str | None = None
) -> None:
    """Prepares this worker process for ``encode_block``."""
    global _encoder
    _encoder = Encoder(vocabulary, filters, word_boundaries)


def encode_block(sides: Sequence[Block], split: str, languages: Sequence[str] = ()) -> EncodedBlock:
    """Reads and encodes aligned blocks, one for each language."""
    texts = [read_block(side) for side in sides]
    if len({len(lines) for lines in texts}) != 1:
        raise UserError(f"{sides[0].path} changed while it was being read; run again")
    return _encoder.encode_aligned(texts, split, languages)


def outliers(lengths: Sequence[np.ndarray], filters: FilterSettings) -> dict[str, np.ndarray]:
    """Tells which lines each filter drops. A line counts under the first of its reasons.

    Args:
        lengths: for each side, (lines,) the number of subwords of each line.
        filters: the limits.

    Returns:
        For each reason, (lines,) bool, True where the filter drops the line.
    """
    shorter = np.min(np.stack(lengths), axis=0)
    longer = np.max(np.stack(lengths), axis=0)
    limit = filters.max_mono_length if len(lengths) == 1 else filters.max_length
    masks = {EMPTY: shorter == 0, TOO_LONG: longer > limit}
    if filters.max_ratio and len(lengths) > 1:
        masks[RATIO] = longer > filters.max_ratio * np.maximum(shorter, RATIO_FLOOR)
    return masks


def select(ids: np.ndarray, sizes: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keeps some lines.

    Args:
        ids: the token ids of all lines end to end.
        sizes: (lines,) number of ids of each line.
        kept: (lines,) bool, True for the lines to keep.

    Returns:
        The ids and the sizes of the lines that are kept.
    """
    return (ids, sizes) if kept.all() else (ids[np.repeat(kept, sizes)], sizes[kept])


def append_last(values: np.ndarray, sizes: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Adds a value, such as the id of ``</s>``, to each line.

    Args:
        values: the values of all lines end to end.
        sizes: (lines,) number of values of each line.
        last: the value to add.

    Returns:
        The values and the sizes with it.
    """
    ends = np.cumsum(sizes + 1) - 1
    closed = np.full(len(values) + len(sizes), last, dtype=values.dtype)
    is_token = np.ones(len(closed), dtype=bool)
    is_token[ends] = False
    closed[is_token] = values
    return closed, sizes + 1


def line_digests(sides: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[bytes]:
    """Returns 64 bits for each line, which are equal if two lines are equal on all sides.

    Args:
        sides: for each side, the token ids of all lines end to end, and (lines,) number of ids of
            each line.
    """
    if not len(sides[0][1]):
        return []
    lines = zip(*(np.split(ids, np.cumsum(sizes)[:-1]) for ids, sizes in sides))
    return [
        hashlib.blake2b(b"".join(side.tobytes() for side in line), digest_size=8).digest()
        for line in lines
    ]
