"""Word alignments as sets of links, and the alignment error rate.

A link (i, j) says that source word i and target word j translate each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence, Tuple

import numpy as np

Link = Tuple[int, int]


@dataclass(frozen=True)
class Links:
    """The links of one sentence pair; every sure link is a possible one too."""

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class AlignmentScore:
    """Corpus-level precision, recall and AER in percent, over n sentence pairs."""

    precision: float
    recall: float
    aer: float
    n: int


def link_counts(predicted: Sequence[Iterable[Link]], gold: Sequence[Links]) -> np.ndarray:
    """|A|, |S|, |A & S| and |A & P| of every pair: (N, 4) int64.

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
    """Precision, recall and alignment error rate of the links A against sure S and possible P.

        precision = |A & P| / |A|        recall = |A & S| / |S|
        AER       = 1 - (|A & S| + |A & P|) / (|A| + |S|)

    with S a part of P, and all counts summed over the corpus before dividing (Och and Ney, 2003,
    equations 36 to 38). Without a single predicted link, precision is 0 and AER 100.

    Raises:
        ValueError: the two sequences differ in length, or no sure link is in the gold.
    """
    return score_of(link_counts(predicted, gold))


def score_of(counts: np.ndarray) -> AlignmentScore:
    """The score of `link_counts`.

    Raises:
        ValueError: no sure link is in the gold.
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
