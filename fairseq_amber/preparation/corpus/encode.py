"""Lines to filtered token ids, many at a time: what the worker processes do."""

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

EMPTY, TOO_LONG, RATIO, DUPLICATE = REASONS = ("empty", "too long", "ratio", "duplicate")
RATIO_FLOOR = 5  # "Go!" may well be a sentence of 15 subwords in another language


class EncodedBlock(NamedTuple):
    """The kept lines of one block.

    ids: per language, the ids of all lines, each line closed by ``</s>``; sizes: per language,
    (kept,) ids of each line; dropped: lines by reason; digests: (kept,) of what each line encodes
    to, where duplicates are to be found.
    """

    ids: tuple[np.ndarray, ...]
    sizes: tuple[np.ndarray, ...]
    dropped: dict[str, int]
    digests: list[bytes]


class Encoder:
    """Encodes blocks of lines with one vocabulary and one set of filters."""

    def __init__(self, vocabulary: Vocabulary, filters: FilterSettings):
        self._subwords = vocabulary.tokenizer.load()
        self._ids = vocabulary.ids.astype(token_dtype(vocabulary.size))
        self._filters = filters

    def encode(self, lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of all lines without special tokens, and (lines,) int64 how many each has."""
        pieces, lengths = self._subwords.encode(lines)
        return self._ids[pieces], lengths

    def encode_aligned(self, texts: Sequence[list[str]], split: str) -> EncodedBlock:
        """Encodes aligned lines, one list per language. The test split is kept whole."""
        sides = [self.encode(lines) for lines in texts]
        lengths = [side_lengths for _, side_lengths in sides]
        dropped: dict[str, int] = {}
        kept = np.ones(len(lengths[0]), dtype=bool)
        if split != "test":
            for reason, mask in outliers(lengths, self._filters).items():
                dropped[reason] = int((mask & kept).sum())
                kept &= ~mask
        selected = [select(ids, sizes, kept) for ids, sizes in sides]
        closed = [append_eos(ids, sizes) for ids, sizes in selected]
        ids, sizes = zip(*closed)
        wanted = self._filters.deduplicate and split == "train"
        return EncodedBlock(ids, sizes, dropped, line_digests(closed) if wanted else [])


_encoder: Encoder  # of this worker process


def start_encoder(vocabulary: Vocabulary, filters: FilterSettings) -> None:
    """Makes this process ready for `encode_block`."""
    global _encoder
    _encoder = Encoder(vocabulary, filters)


def encode_block(sides: Sequence[Block], split: str) -> EncodedBlock:
    """Reads and encodes aligned blocks, one per language."""
    texts = [read_block(side) for side in sides]
    if len({len(lines) for lines in texts}) != 1:
        raise UserError(f"{sides[0].path} changed while it was being read; run again")
    return _encoder.encode_aligned(texts, split)


def outliers(lengths: Sequence[np.ndarray], filters: FilterSettings) -> dict[str, np.ndarray]:
    """Which lines each filter would drop, (lines,) bool by reason, from their lengths in subwords
    on each side. A line counts under the first of its reasons."""
    shorter = np.min(np.stack(lengths), axis=0)
    longer = np.max(np.stack(lengths), axis=0)
    limit = filters.max_mono_length if len(lengths) == 1 else filters.max_length
    masks = {EMPTY: shorter == 0, TOO_LONG: longer > limit}
    if filters.max_ratio and len(lengths) > 1:
        masks[RATIO] = longer > filters.max_ratio * np.maximum(shorter, RATIO_FLOOR)
    return masks


def select(ids: np.ndarray, sizes: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lines that a (lines,) bool mask keeps, of ids laid end to end."""
    return (ids, sizes) if kept.all() else (ids[np.repeat(kept, sizes)], sizes[kept])


def append_eos(ids: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Closes each line, of ids laid end to end, with ``</s>``."""
    ends = np.cumsum(sizes + 1) - 1
    closed = np.full(len(ids) + len(sizes), EOS, dtype=ids.dtype)
    is_token = np.ones(len(closed), dtype=bool)
    is_token[ends] = False
    closed[is_token] = ids
    return closed, sizes + 1


def line_digests(sides: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[bytes]:
    """64 bits for each line that are equal where all sides of two lines are."""
    if not len(sides[0][1]):
        return []
    lines = zip(*(np.split(ids, np.cumsum(sizes)[:-1]) for ids, sizes in sides))
    return [
        hashlib.blake2b(b"".join(side.tobytes() for side in line), digest_size=8).digest()
        for line in lines
    ]
