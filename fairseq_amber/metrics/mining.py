"""Scores of mined sentence pairs: precision, recall and F1 against gold pairs, as in BUCC."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class MiningQuality(NamedTuple):
    """How good the mined pairs are, in percent. All three are 0 if no pair is correct.

    Attributes:
        precision: share of the mined pairs that are gold pairs.
        recall: share of the gold pairs that were mined.
        f1: harmonic mean of precision and recall.
    """

    precision: float
    recall: float
    f1: float


def mining_quality(correct: int, mined: int, gold: int) -> MiningQuality:
    """Computes precision, recall and F1 from counts of pairs.

        precision = correct / mined, recall = correct / gold, F1 = 2 correct / (mined + gold)

    Args:
        correct: number of mined pairs that are gold pairs.
        mined: number of mined pairs.
        gold: number of gold pairs.
    """
    if correct == 0:
        return MiningQuality(0.0, 0.0, 0.0)
    return MiningQuality(
        100 * correct / mined, 100 * correct / gold, 200 * correct / (mined + gold)
    )


def best_threshold(scores: np.ndarray, correct: np.ndarray, gold: int) -> float:
    """Finds the threshold T for which the pairs with a score >= T have the highest F1.

    T lies half-way between two neighbouring scores, or equals the lowest score, so that pairs with
    equal scores are kept or dropped together. If several thresholds give the same F1, the highest
    of them is returned.

    Args:
        scores: (C,) scores of the candidate pairs in falling order, C >= 1.
        correct: (C,) bool, True for a gold pair.
        gold: number of gold pairs.

    Raises:
        ValueError: ``scores`` is empty.
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


def is_gold(source: np.ndarray, target: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Finds out which of C pairs are gold pairs.

    Args:
        source: (C,) int64, source sentence of each pair.
        target: (C,) int64, target sentence of each pair.
        gold: (G, 2) int64, the gold pairs.

    Returns:
        (C,) bool.
    """
    width = 1 + max(target.max(initial=0), gold[:, 1].max(initial=0))
    return np.isin(source * width + target, gold[:, 0] * width + gold[:, 1])
