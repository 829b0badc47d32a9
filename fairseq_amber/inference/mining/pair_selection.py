"""Selects candidate pairs among the nearest neighbours of two monolingual texts.

Artetxe and Schwenk (2019), Margin-based Parallel Corpus Mining with Multilingual Sentence
Embeddings, arXiv 1811.01136.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from fairseq_amber.inference.mining.neighbour_search import Neighbours
from fairseq_amber.metrics.margin import margin_scores
from fairseq_amber.metrics.mining import is_gold

RETRIEVALS = ("max", "intersect", "forward", "backward")


class MinedPairs(NamedTuple):
    """C candidate pairs, the best first.

    Attributes:
        score: (C,) float64, margin scores.
        source: (C,) int64, rows of the source text.
        target: (C,) int64, rows of the target text.
    """

    score: np.ndarray
    source: np.ndarray
    target: np.ndarray

    def above(self, threshold: float) -> MinedPairs:
        """Returns the pairs with a score of ``threshold`` or more."""
        count = int(np.count_nonzero(self.score >= threshold))
        return MinedPairs(self.score[:count], self.source[:count], self.target[:count])

    def are_gold(self, gold: np.ndarray) -> np.ndarray:
        """Returns (C,) bool, True where a pair is among the gold pairs (G, 2)."""
        return is_gold(self.source, self.target, gold)


def mine_pairs(
    forward: Neighbours, backward: Neighbours, *, margin: str = "ratio", retrieval: str = "max"
) -> MinedPairs:
    """Selects candidate pairs from the nearest neighbours of both texts.

    Every sentence proposes the pair with its highest-scoring neighbour. Which of these pairs become
    candidates depends on ``retrieval``, named as in LASER:

    - ``forward``: those that the sources propose, so that a target may occur several times.
    - ``backward``: those that the targets propose.
    - ``intersect``: those that both sides propose.
    - ``max``: those that either side proposes; the best first, and each sentence in one pair only.

    Args:
        forward: neighbours of N sources among M targets.
        backward: neighbours of M targets among N sources; their number k may differ.
        margin: see ``margin_scores``; the means are over all neighbours that are given.
        retrieval: one of ``RETRIEVALS``.

    Raises:
        ValueError: there is no such margin or retrieval.
    """
    if retrieval not in RETRIEVALS:
        raise ValueError(f"retrieval {retrieval!r} is not one of {', '.join(RETRIEVALS)}")
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
    """Returns the highest score of each of N sentences (N,), and the neighbour that has it (N,)."""
    cosine, own, other = (
        torch.from_numpy(array.astype(np.float64))
        for array in (neighbours.cosine, mean_own[:, None], mean_other[neighbours.rows])
    )
    scores = margin_scores(cosine, own, other, margin).numpy()
    rows, best = np.arange(len(scores)), scores.argmax(1)
    return scores[rows, best], neighbours.rows[rows, best]


def _ranked(score: np.ndarray, source: np.ndarray, target: np.ndarray) -> MinedPairs:
    """Sorts C pairs by falling score, then by rows, and leaves out those whose score is -inf."""
    order = np.lexsort((target, source, -score))
    order = order[: np.count_nonzero(score > -np.inf)]
    return MinedPairs(score[order], source[order], target[order])


def _one_to_one(pairs: MinedPairs, sources: int, targets: int) -> MinedPairs:
    """Keeps a pair if neither of its sentences is in a better pair that is kept."""
    free_source, free_target = bytearray(b"\1") * sources, bytearray(b"\1") * targets
    keep = []
    for number, (source, target) in enumerate(zip(pairs.source.tolist(), pairs.target.tolist())):
        if free_source[source] and free_target[target]:
            free_source[source] = free_target[target] = 0
            keep.append(number)
    return MinedPairs(pairs.score[keep], pairs.source[keep], pairs.target[keep])
