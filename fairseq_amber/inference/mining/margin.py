"""Mining translations from two monolingual texts: margin scores, which pairs to keep, and F1.

Artetxe and Schwenk (2019), Margin-based Parallel Corpus Mining with Multilingual Sentence
Embeddings, arXiv 1811.01136.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fairseq_amber.inference.mining.neighbour_search import Neighbours

MARGINS = ("ratio", "distance", "absolute")
RETRIEVALS = ("max", "intersect", "forward", "backward")


class MinedPairs(NamedTuple):
    """C candidate pairs, the best first.

    score: (C,) float64; source, target: (C,) int64 rows of the two texts.
    """

    score: np.ndarray
    source: np.ndarray
    target: np.ndarray

    def above(self, threshold: float) -> MinedPairs:
        """Those that score `threshold` or more."""
        count = int(np.count_nonzero(self.score >= threshold))
        return MinedPairs(self.score[:count], self.source[:count], self.target[:count])


class MiningQuality(NamedTuple):
    """Precision, recall and their harmonic mean F1 in percent, 0 where nothing is right."""

    precision: float
    recall: float
    f1: float


def margin_scores(
    cosine: np.ndarray, mean_nearest_x: np.ndarray, mean_nearest_y: np.ndarray, margin: str
) -> np.ndarray:
    """How far pairs stand out among the neighbours of their two sentences.

    With b = (r(x) + r(y)) / 2, where r is a sentence's mean cosine with its k nearest neighbours on
    the other side (section 3 of the paper):

        absolute  cos(x, y)
        distance  cos(x, y) - b
        ratio     cos(x, y) / b

    The ratio says nothing where b is not positive; there it is -inf.

    Args:
        cosine, mean_nearest_x, mean_nearest_y: arrays of cos(x, y), r(x), r(y) that broadcast.
        margin: one of `MARGINS`.
    """
    if margin not in MARGINS:
        raise ValueError(f"margin {margin!r} is none of {', '.join(MARGINS)}")
    cosine = np.asarray(cosine, dtype=np.float64)
    if margin == "absolute":
        return cosine
    base = (np.asarray(mean_nearest_x, dtype=np.float64) + mean_nearest_y) / 2
    if margin == "distance":
        return cosine - base
    positive = np.broadcast_to(base > 0, cosine.shape)
    return np.divide(cosine, base, out=np.full(cosine.shape, -np.inf), where=positive)


def mine_pairs(
    forward: Neighbours, backward: Neighbours, *, margin: str = "ratio", retrieval: str = "max"
) -> MinedPairs:
    """Candidate pairs of two texts from the nearest neighbours of both.

    Every sentence proposes the neighbour with which it scores highest.

    - `forward`: what the sources propose; a target may occur several times. `backward`: what the
      targets propose.
    - `intersect`: what both propose.
    - `max`: what either proposes, the best first, each sentence once.

    Args:
        forward: of N sources in M targets; backward: of M targets in N sources; k may differ.
        margin: see `margin_scores`, with the mean over all neighbours given.
        retrieval: one of `RETRIEVALS`, with LASER's meanings.
    """
    if retrieval not in RETRIEVALS:
        raise ValueError(f"retrieval {retrieval!r} is none of {', '.join(RETRIEVALS)}")
    mean_x, mean_y = (side.cosine.mean(1, dtype=np.float64) for side in (forward, backward))
    score_x, best_y = _best(forward, mean_x, mean_y, margin)
    score_y, best_x = _best(backward, mean_y, mean_x, margin)
    sources, targets = np.arange(len(best_y)), np.arange(len(best_x))
    if retrieval == "forward":
        return _ranked(score_x, sources, best_y)
    if retrieval == "backward":
        return _ranked(score_y, best_x, targets)
    if retrieval == "intersect":
        mutual = best_x[best_y] == sources
        return _ranked(score_x[mutual], sources[mutual], best_y[mutual])
    either = _ranked(
        np.concatenate([score_x, score_y]),
        np.concatenate([sources, best_x]),
        np.concatenate([best_y, targets]),
    )
    return _one_to_one(either, len(sources), len(targets))


def _best(
    neighbours: Neighbours, mean_own: np.ndarray, mean_other: np.ndarray, margin: str
) -> tuple[np.ndarray, np.ndarray]:
    """The highest score of each sentence (N,), and with whom (N,)."""
    scores = margin_scores(
        neighbours.cosine, mean_own[:, None], mean_other[neighbours.rows], margin
    )
    rows, best = np.arange(len(scores)), scores.argmax(1)
    return scores[rows, best], neighbours.rows[rows, best]


def _ranked(score: np.ndarray, source: np.ndarray, target: np.ndarray) -> MinedPairs:
    """By falling score, then by rows; pairs without a score are left out."""
    order = np.lexsort((target, source, -score))
    order = order[: np.count_nonzero(score > -np.inf)]
    return MinedPairs(score[order], source[order], target[order])


def _one_to_one(pairs: MinedPairs, sources: int, targets: int) -> MinedPairs:
    """Keeps a pair if neither of its sentences is in a better one."""
    free_source, free_target = bytearray(b"\1") * sources, bytearray(b"\1") * targets
    keep = []
    for number, (source, target) in enumerate(zip(pairs.source.tolist(), pairs.target.tolist())):
        if free_source[source] and free_target[target]:
            free_source[source] = free_target[target] = 0
            keep.append(number)
    return MinedPairs(pairs.score[keep], pairs.source[keep], pairs.target[keep])


def best_threshold(scores: np.ndarray, correct: np.ndarray, gold: int) -> float:
    """The threshold T for which the pairs with score >= T have the highest F1.

    It lies half-way between two neighbouring scores, or is the lowest, so that equal scores stay
    together. Of thresholds with one F1 it is the highest.

    Args:
        scores: (C,) falling, C >= 1; correct: (C,) bool; gold: number of pairs there are to find.
    """
    scores, correct = np.asarray(scores, dtype=np.float64), np.asarray(correct, dtype=bool)
    if len(scores) == 0:
        raise ValueError("a threshold needs at least one scored pair")
    ends = np.append(np.nonzero(scores[1:] < scores[:-1])[0], len(scores) - 1)
    f1 = 2 * np.cumsum(correct)[ends] / (ends + 1 + gold)
    end = ends[f1.argmax()]
    if end == len(scores) - 1:
        return float(scores[end])
    middle = (scores[end] + scores[end + 1]) / 2
    return float(middle if middle > scores[end + 1] else scores[end])


def is_gold(pairs: MinedPairs, gold: np.ndarray) -> np.ndarray:
    """Which of the C pairs are among the gold ones (G, 2): (C,) bool."""
    width = 1 + max(pairs.target.max(initial=0), gold[:, 1].max(initial=0))
    return np.isin(pairs.source * width + pairs.target, gold[:, 0] * width + gold[:, 1])


def mining_quality(correct: int, mined: int, gold: int) -> MiningQuality:
    """Precision = correct / mined, recall = correct / gold, F1 = 2 correct / (mined + gold)."""
    if correct == 0:
        return MiningQuality(0.0, 0.0, 0.0)
    return MiningQuality(
        100 * correct / mined, 100 * correct / gold, 200 * correct / (mined + gold)
    )
