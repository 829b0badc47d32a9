"""Word alignments as sets of links, and the alignment error rate (AER).

A link (i, j) says that source word i and target word j translate each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence, Tuple

import numpy as np

Link = Tuple[int, int]


@dataclass(frozen=True)
class Links:
    """The links of one sentence pair.

    Attributes:
        sure: links that a correct alignment must have.
        possible: links that a correct alignment may have; they include the sure links.
    """

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class AlignmentScore:
    """Scores of a corpus, in percent.

    Attributes:
        precision: share of the predicted links that are possible.
        recall: share of the sure links that are predicted.
        aer: alignment error rate.
        n: number of sentence pairs.
    """

    precision: float
    recall: float
    aer: float
    n: int


def link_counts(predicted: Sequence[Iterable[Link]], gold: Sequence[Links]) -> np.ndarray:
    """Counts the links of each sentence pair, from which the scores are computed.

    Args:
        predicted: the predicted links A of N pairs.
        gold: the sure links S and possible links P of the same pairs.

    Returns:
        (N, 4) int64: |A|, |S|, |A & S| and |A & P| of each pair.

    Raises:
        ValueError: the two sequences differ in length.
    """
    if len(predicted) != len(gold):
        raise ValueError(f"{len(predicted)} predicted pairs, but {len(gold)} gold pairs")
    counts = np.zeros((len(gold), 4), dtype=np.int64)
    for row, links, reference in zip(counts, map(set, predicted), gold):
        row[:] = (
            len(links),
            len(reference.sure),
            len(links & reference.sure),
            len(links & reference.possible),
        )
    return counts


def alignment_score(predicted: Sequence[Iterable[Link]], gold: Sequence[Links]) -> AlignmentScore:
    """Computes precision, recall and AER of predicted links A for sure links S and possible links
    P.

        precision = |A & P| / |A|        recall = |A & S| / |S|
        AER       = 1 - (|A & S| + |A & P|) / (|A| + |S|)

    S is a subset of P, and all counts are summed over the corpus before the division (Och and Ney,
    2003, equations 36 to 38). Without any predicted link, precision is 0 and AER is 100.

    Args:
        predicted: the predicted links of N pairs.
        gold: the gold links of the same pairs.

    Raises:
        ValueError: the two sequences differ in length, or the gold has no sure link.
    """
    return score_of(link_counts(predicted, gold))


def score_of(counts: np.ndarray) -> AlignmentScore:
    """Computes the scores of a corpus from its counts.

    Args:
        counts: (N, 4), from ``link_counts``.

    Raises:
        ValueError: the gold has no sure link.
    """
    n_links, n_sure, in_sure, in_possible = counts.sum(axis=0).tolist()
    if n_sure == 0:
        raise ValueError("the gold has no sure link (i-j): recall and AER are not defined")
    return AlignmentScore(
        precision=100.0 * in_possible / n_links if n_links else 0.0,
        recall=100.0 * in_sure / n_sure,
        aer=100.0 * (1 - (in_sure + in_possible) / (n_links + n_sure)),
        n=len(counts),
    )
