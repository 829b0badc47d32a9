"""The links of words and their scores, from those of their subwords."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.data.layout import pad_rows
from fairseq_amber.inference.tokenizer import WordPieces
from fairseq_amber.inference.word_alignment.link_extraction import NO_WORD, word_links
from fairseq_amber.inference.word_alignment.methods import SubwordLinks
from fairseq_amber.metrics.word_alignment import Link


class Alignment(NamedTuple):
    """The links of the words of one pair.

    Attributes:
        links: the links, sorted.
        scores: the score of each link; None if they were not asked for.
    """

    links: list[Link]
    scores: list[float] | None


def word_alignments(
    method: str,
    found: SubwordLinks,
    pairs: Sequence[tuple[WordPieces, WordPieces]],
    *,
    scores: bool,
) -> list[Alignment]:
    """Turns the links of subwords into those of words: two words are linked if any of their
    subwords are.

    Args:
        method: the method that has found the links.
        found: the links of the subwords of B pairs.
        pairs: the B pairs.
        scores: whether to give the score of each link; see ``word_scores``.
    """
    words = pad_rows([side.words for sides in zip(*pairs) for side in sides], NO_WORD)
    by_pair = word_links(found.aligned.cpu(), *words.chunk(2))
    if not scores:
        return [Alignment(links, None) for links in by_pair]
    alignments = []
    for links, (source, target), matrix in zip(by_pair, pairs, found.scores.cpu().numpy()):
        shape = source.words[-1] + 1, target.words[-1] + 1
        of_words = word_scores(method, matrix, source, target, shape)
        alignments.append(Alignment(links, [float(of_words[link]) for link in links]))
    return alignments


def word_scores(
    method: str,
    scores: np.ndarray,
    source: WordPieces,
    target: WordPieces,
    shape: tuple[int, int],
) -> np.ndarray:
    """Turns the scores of subwords into those of words.

    Args:
        method: the method that has scored the subwords.
        scores: (S, T), the scores of the subwords; padding may follow them.
        source: the source sentence.
        target: its translation.
        shape: the numbers of words of the two sentences.

    Returns:
        float32 array of that shape: for every two words the highest score of any two of their
        subwords, and 0 for a word without subwords; for ``transport`` the mass that moves between
        the two words, as a share of the smaller mass.
    """
    scores = scores[: len(source.ids), : len(target.ids)]
    words = source.words[:, None], target.words[None, :]
    if method != "transport":
        highest = np.full(shape, -np.inf, dtype=np.float32)
        np.maximum.at(highest, words, scores)
        return np.where(np.isneginf(highest), np.float32(0), highest)
    moved = np.zeros(shape, dtype=np.float32)
    np.add.at(moved, words, scores)
    source_mass, target_mass = (
        np.bincount(side.words, minlength=size) / len(side.ids)
        for side, size in zip((source, target), shape)
    )
    smaller = np.minimum.outer(source_mass, target_mass)
    return np.divide(moved, smaller, out=moved, where=smaller > 0)
