"""Turns one corpus into fairseq's binary files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Callable

import numpy as np

from fairseq_amber.data.kept_words import KeptWordWriter
from fairseq_amber.data.token_file import DatasetWriter, token_dtype
from fairseq_amber.errors import UserError
from fairseq_amber.files.text import TextFile, blocks
from fairseq_amber.preparation.corpus.encode import (
    DUPLICATE,
    TOO_LONG,
    EncodedBlock,
    encode_block,
    select,
)
from fairseq_amber.preparation.corpus.raw_files import Corpus
from fairseq_amber.preparation.workers import WorkerPool
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN


@dataclass
class Counts:
    """The numbers of lines and subwords of a corpus.

    Attributes:
        lines: number of lines read, where a pair is one line.
        kept: number of lines kept.
        dropped: number of lines dropped for each reason.
        tokens: number of subwords kept in each language, without ``</s>``.
        unknown: number of ``<unk>`` among the tokens of each language.
    """

    lines: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)


def binarize(
    corpus: Corpus,
    texts: dict[Path, TextFile],
    pool: WorkerPool,
    folder: Path,
    vocabulary_size: int,
    progress: Callable[[int], object],
    word_boundaries: str | None = None,
) -> tuple[list[DatasetWriter], list[KeptWordWriter], Counts]:
    """Encodes a corpus into finished datasets in a folder, one for each of its languages.

    The result does not depend on the number of workers. It takes 12 bytes of memory for each line
    and language, and 70 bytes more for each distinct line if duplicates are dropped.

    Args:
        corpus: the corpus.
        texts: the checked files of all corpora, by path.
        pool: workers that were started with ``start_encoder``.
        folder: where the datasets are written, each named by its language.
        vocabulary_size: size of the dictionary, which decides the width of the token ids.
        progress: called after each block with the number of its lines.
        word_boundaries: the kind of words that the workers find; None if none are kept.

    Returns:
        The writers of the datasets, in the order of the corpus's languages, those of their words,
        and the counts.

    Raises:
        UserError: no line was kept.
    """
    dtype = token_dtype(vocabulary_size)
    counts = Counts(sum(texts[files[0]].lines for files in corpus.sources))
    dropped: Counter = Counter()
    tokens = np.zeros(len(corpus.languages), dtype=np.int64)
    unknown = np.zeros_like(tokens)
    seen: set[bytes] = set()
    writers = [DatasetWriter(folder / language, dtype) for language in corpus.languages]
    word_writers: list[KeptWordWriter] = []
    if word_boundaries is not None:
        prefixes = [folder / language for language in corpus.languages]
        word_writers = [KeptWordWriter(prefix, word_boundaries) for prefix in prefixes]
    calls = (
        (sides, corpus.split, corpus.languages)
        for files in corpus.sources
        for sides in zip(*(blocks(texts[path]) for path in files))
    )
    try:
        for block in pool.map(encode_block, calls):
            before = sum(block.dropped.values()) + len(block.sizes[0])
            block = without_duplicates(block, seen)
            dropped.update(block.dropped)
            for side, (writer, ids, sizes) in enumerate(zip(writers, block.ids, block.sizes)):
                writer.add(ids, sizes)
                tokens[side] += len(ids) - len(sizes)
                unknown[side] += np.count_nonzero(ids == UNKNOWN)
            for word_writer, starts in zip(word_writers, block.words):
                word_writer.add(starts)
            progress(before)
        counts.dropped = {reason: count for reason, count in dropped.items() if count}
        counts.kept = counts.lines - sum(counts.dropped.values())
        counts.tokens, counts.unknown = tokens.tolist(), unknown.tolist()
        if counts.kept == 0:
            reasons = ", ".join(f"{count} {reason}" for reason, count in counts.dropped.items())
            names = " and ".join(path.name for path in corpus.sources[0])
            hint = ", or give one sentence a line" if TOO_LONG in counts.dropped else ""
            raise UserError(
                f"every line of {names} was dropped ({reasons}); relax the filters{hint}"
            )
        for writer, word_writer in zip_longest(writers, word_writers):
            writer.finish()
            if word_writer is not None:
                word_writer.finish()
    finally:
        for writer, word_writer in zip_longest(writers, word_writers):
            writer.close()
            if word_writer is not None:
                word_writer.close()
    return writers, word_writers, counts


def without_duplicates(block: EncodedBlock, seen: set[bytes]) -> EncodedBlock:
    """Drops the lines whose digest was seen before, and adds the digests of the others."""
    if not block.digests:
        return block
    kept = np.ones(len(block.digests), dtype=bool)
    for line, digest in enumerate(block.digests):
        kept[line] = digest not in seen
        seen.add(digest)
    ids, sizes = zip(*(select(*side, kept) for side in zip(block.ids, block.sizes)))
    words = tuple(select(*side, kept)[0] for side in zip(block.words, block.sizes))
    dropped = {**block.dropped, DUPLICATE: int(len(kept) - kept.sum())}
    return EncodedBlock(ids, sizes, dropped, [], words)
