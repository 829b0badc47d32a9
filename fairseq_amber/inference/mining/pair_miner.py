"""Mines candidate pairs from two texts and their vectors, and scores them against gold pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.neighbour_search import (
    Neighbours,
    approximate_neighbours,
    exact_neighbours,
    sampled_recall,
)
from fairseq_amber.inference.mining.pair_selection import MinedPairs, mine_pairs
from fairseq_amber.inference.mining.texts import MiningSet
from fairseq_amber.inference.mining.unit_vectors import UnitVectors
from fairseq_amber.metrics.mining import best_threshold, mining_quality
from fairseq_amber.progress import heartbeat


class Mined(NamedTuple):
    """Candidate pairs of two texts.

    Attributes:
        texts: the two texts.
        pairs: the candidate pairs, as indices of the texts' sentences.
        search_recall: share of the true nearest neighbours that the search found, in percent,
            measured on a sample; None for an exact search.
    """

    texts: MiningSet
    pairs: MinedPairs
    search_recall: float | None

    def best_threshold(self) -> float:
        """Returns the threshold with the highest F1 against the gold of these texts.

        Raises:
            UserError: there are no candidates.
        """
        if len(self.pairs.score) == 0:
            raise UserError(
                f"no pair of {self.texts.source.path} has a score, as the ratio margin has no "
                "value where the neighbours' mean cosine is not positive; use --margin distance"
            )
        gold = self.texts.known_gold
        return best_threshold(self.pairs.score, self.pairs.are_gold(gold), len(gold))

    def scores(self, threshold: float) -> dict[str, Any]:
        """Returns the scores of the pairs at or above a threshold, for the JSON of a result.

        Returns:
            ``score`` (F1), ``precision`` and ``recall`` in percent; the numbers of pairs ``mined``
            and of gold pairs ``n``; the ``test_digest`` of the texts and the gold; and
            ``search_recall`` after an approximate search.
        """
        kept, gold = self.pairs.above(threshold), self.texts.known_gold
        quality = mining_quality(int(kept.are_gold(gold).sum()), len(kept.score), len(gold))
        scores: dict[str, Any] = {
            "score": quality.f1,
            "precision": quality.precision,
            "recall": quality.recall,
            "mined": len(kept.score),
            "n": len(gold),
            "test_digest": self.texts.digest(),
        }
        if self.search_recall is not None:
            scores["search_recall"] = self.search_recall
        return scores

    def outcomes(self, threshold: float) -> np.ndarray:
        """Returns what each of N source sentences adds to the numerator and denominator of F1.

        Returns:
            (N, 2): for each sentence the numerator, twice the number of its correct pairs, and
            the denominator, the number of its mined pairs plus that of its gold pairs.
        """
        kept, gold = self.pairs.above(threshold), self.texts.known_gold
        sides = kept.source[kept.are_gold(gold)], kept.source, gold[:, 0]
        correct_count, mined_count, gold_count = (
            np.bincount(rows, minlength=len(self.texts.source.sentences)) for rows in sides
        )
        return np.stack([2 * correct_count, mined_count + gold_count], axis=1)


@dataclass(frozen=True)
class Miner:
    """The settings of mining.

    Attributes:
        margin: see ``mine_pairs``.
        retrieval: see ``mine_pairs``.
        neighbours: k, the number of nearest neighbours of each sentence.
        lists: see ``approximate_neighbours``.
        probes: see ``approximate_neighbours``; None searches exactly.
    """

    margin: str = "ratio"
    retrieval: str = "max"
    neighbours: int = 4
    lists: int | None = None
    probes: int | None = None

    def mine(self, texts: MiningSet, source: UnitVectors, target: UnitVectors) -> Mined:
        """Mines two texts.

        Args:
            texts: the texts.
            source: the vectors of the source sentences, row i of the i-th distinct sentence.
            target: the vectors of the target sentences, row i of the i-th distinct sentence.

        Raises:
            UserError: the two sides have vectors of different dimensions, or faiss is missing.
        """
        if source.dim != target.dim:
            raise UserError(
                f"the vectors of {texts.source.path} have {source.dim} dimensions but those of "
                f"{texts.target.path} {target.dim}; embed both with one model"
            )
        pairs, found = self.candidates(source, target)
        recall = None if self.probes is None else 100 * sampled_recall(source, target, found)
        return Mined(texts, pairs, recall)

    def candidates(
        self, source: UnitVectors, target: UnitVectors
    ) -> tuple[MinedPairs, tuple[Neighbours, Neighbours]]:
        """Finds the candidate pairs of two sets of vectors.

        Returns:
            The candidate pairs, and the neighbours of the sources and of the targets from which
            the pairs were selected.
        """
        if self.probes is None:
            found = exact_neighbours(source, target, self.neighbours)
        else:
            found = approximate_neighbours(
                source, target, self.neighbours, lists=self.lists, probes=self.probes
            )
        with heartbeat("choosing pairs"):
            return mine_pairs(*found, margin=self.margin, retrieval=self.retrieval), found
