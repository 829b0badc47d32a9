"""Reads the binarised sentence pairs of a data folder, in the form that an ``Aligner`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np

from fairseq_amber.data.alignment.corpora import ParallelCorpus, available, load_corpora
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.words import WordFinder, Words, link_word_finder
from fairseq_amber.errors import UserError
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.tokenizer import WordPieces
from fairseq_amber.tokenizers.dictionary import check_trained_with, fingerprint, load_dictionary
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME

_CHUNK = 1 << 14  # pairs in memory; enough to fill a batch with sentences of about equal length


def open_pairs(
    data: Path, split: str, wanted: str | None, encoder: Encoder
) -> list[ParallelCorpus]:
    """Opens one split of the language pairs in a data folder.

    Args:
        data: a folder that ``fairseq-amber prepare`` has written.
        split: such as ``train``.
        wanted: the language pairs to open, such as "de-en,fr-en"; None opens all that have the
            split.
        encoder: the encoder that will read them.

    Raises:
        UserError: the folder has another dictionary than the encoder, a wanted pair or the split is
            missing, or a file is damaged.
    """
    dictionary = load_dictionary(data)
    check_trained_with(
        dictionary,
        fingerprint(encoder.dictionary),
        path=data / DICTIONARY_NAME,
        checkpoint=encoder.config["checkpoint"],
        remedy="give a folder that was prepared with the model's own dictionary",
    )
    names = available([data], "parallel", wanted)
    corpora = load_corpora(data, split, [], names, dictionary, combine=split == "train")
    pairs = [corpus for corpus in corpora if isinstance(corpus, ParallelCorpus)]
    present = [pair.name for pair in pairs]
    lacking = [name for name in names if name not in present]
    if not pairs or (wanted is not None and lacking):
        files = (path for name in lacking for path in (data / "parallel" / name).glob("*.idx"))
        found = sorted({path.name.split(".")[0] for path in files})
        split_hint = f"; --split may be {', '.join(found)}" if found else ""
        raise UserError(
            f"{data} has no {split} text of {', '.join(lacking) or 'any pair'}{split_hint}"
        )
    return pairs


def finder_of(units: str, encoder: Encoder) -> WordFinder | None:
    """Returns the finder of the words that links number.

    Words are what spaces separate, as the criterion ``l2_alignment`` counts them.

    Returns:
        The finder for ``words``; None for ``subwords``.

    Raises:
        UserError: the dictionary does not mark where words begin.
    """
    if units == "subwords":
        return None
    dictionary = encoder.dictionary
    return link_word_finder(dictionary.symbols, Specials.of(dictionary), "--units words")


def words_of(corpus: ParallelCorpus, finder: WordFinder | None) -> tuple[Words, Words] | None:
    """Returns the words of both sides of a corpus; None if links number subwords.

    Raises:
        UserError: the pieces do not show the words, and ``prepare`` has not kept them.
    """
    if finder is None:
        return None
    return finder.words(corpus.sources), finder.words(corpus.targets)


def read_pairs(
    corpus: ParallelCorpus, words: tuple[Words, Words] | None
) -> Iterator[list[list[WordPieces]]]:
    """Yields the sources and the targets of all pairs of a corpus in order, chunk by chunk."""
    sides = words or (None, None)
    for start in range(0, len(corpus), _CHUNK):
        numbers = range(start, min(start + _CHUNK, len(corpus)))
        pairs = [corpus[i] for i in numbers]
        yield [
            [_pieces(i, ids, words) for i, ids in zip(numbers, side)]
            for words, side in zip(sides, zip(*pairs))
        ]


def _pieces(index: int, ids: np.ndarray, words: Words | None) -> WordPieces:
    if words is None or not len(ids):
        return WordPieces(ids, np.arange(len(ids)))
    return WordPieces(ids, np.cumsum(words.starts(index, ids)) - 1)
