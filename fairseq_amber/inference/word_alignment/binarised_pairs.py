"""Binarised sentence pairs of a prepared folder, numbered as an `Aligner` takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np

from fairseq_amber.data.alignment.corpora import ParallelCorpus, available, load_corpora
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.whole_words import WordBoundaries, word_boundaries
from fairseq_amber.errors import UserError
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.tokenizer import WordPieces
from fairseq_amber.tokenizers.dictionary import check_trained_with, fingerprint, load_dictionary
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME

_CHUNK = 1 << 14  # pairs in memory; among so many, sentences of one length fill a batch


def open_pairs(
    data: Path, split: str, wanted: str | None, encoder: Encoder
) -> list[ParallelCorpus]:
    """A split of the pairs of a prepared folder: of all that have it, or of those wanted.

    Raises:
        UserError: the folder's dictionary is not the encoder's, a wanted pair or the split is not
            there, or a file is damaged.
    """
    dictionary = load_dictionary(data)
    check_trained_with(
        dictionary,
        fingerprint(encoder.dictionary),
        path=data / DICTIONARY_NAME,
        checkpoint=encoder.config["checkpoint"],
        remedy="give a folder that was prepared with the model's own dictionary",
    )
    names = available(data, "parallel", wanted)
    corpora = load_corpora(data, split, [], names, dictionary)
    pairs = [corpus for corpus in corpora if isinstance(corpus, ParallelCorpus)]
    present = [pair.name for pair in pairs]
    lacking = [name for name in names if name not in present]
    if not pairs or (wanted is not None and lacking):
        files = (path for name in lacking for path in (data / "parallel" / name).glob("*.idx"))
        found = sorted({path.name.split(".")[0] for path in files})
        there = f"; --split may be {', '.join(found)}" if found else ""
        raise UserError(f"{data} has no {split} text of {', '.join(lacking) or 'any pair'}{there}")
    return pairs


def boundaries_of(units: str, encoder: Encoder) -> WordBoundaries | None:
    """Of the `words` that `l2_alignment` counts, those between spaces; None for `subwords`.

    Raises:
        UserError: the dictionary does not tell where words begin.
    """
    if units == "subwords":
        return None
    dictionary = encoder.dictionary
    return word_boundaries(
        dictionary.symbols, Specials.of(dictionary), flag="--units words", split_unspaced=False
    )


def read_pairs(
    corpus: ParallelCorpus, boundaries: WordBoundaries | None
) -> Iterator[list[list[WordPieces]]]:
    """Sources and targets of all pairs of a corpus in their order, chunk by chunk."""
    for start in range(0, len(corpus), _CHUNK):
        pairs = [corpus[i] for i in range(start, min(start + _CHUNK, len(corpus)))]
        yield [[_pieces(ids, boundaries) for ids in side] for side in zip(*pairs)]


def _pieces(ids: np.ndarray, boundaries: WordBoundaries | None) -> WordPieces:
    if boundaries is None or not len(ids):
        return WordPieces(ids, np.arange(len(ids)))
    return WordPieces(ids, np.cumsum(boundaries.starts(ids)) - 1)
