"""From two texts and their vectors to candidate pairs, and the candidates' scores against gold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.mining import (
    MinedPairs,
    best_threshold,
    is_gold,
    mine_pairs,
    mining_quality,
)
from fairseq_amber.evaluation.mining_text import MiningSet
from fairseq_amber.evaluation.neighbour_search import (
    approximate_neighbours,
    exact_neighbours,
    sampled_recall,
)
from fairseq_amber.evaluation.unit_vectors import UnitVectors


class Mined(NamedTuple):
    """Candidate pairs of two texts.

    search_recall: in percent, of the neighbours that the search should have found, on a sample;
        None if it was exact.
    """

    texts: MiningSet
    pairs: MinedPairs
    search_recall: float | None

    def best_threshold(self) -> float:
        """The threshold with the highest F1 against the gold of these texts.

        Raises:
            UserError: there are no candidates.
        """
        if len(self.pairs.score) == 0:
            raise UserError(
                f"no pair of {self.texts.source.path} has a score, as the ratio of cosines that "
                "are not positive has none; use --margin distance"
            )
        gold = self.texts.known_gold
        return best_threshold(self.pairs.score, is_gold(self.pairs, gold), len(gold))

    def scores(self, threshold: float) -> dict[str, float]:
        """F1 (`score`), precision and recall in percent at a threshold, with their counts: `mined`
        pairs, and `n` gold ones."""
        kept, gold = self.pairs.above(threshold), self.texts.known_gold
        quality = mining_quality(int(is_gold(kept, gold).sum()), len(kept.score), len(gold))
        scores = {
            "score": quality.f1,
            "precision": quality.precision,
            "recall": quality.recall,
            "mined": len(kept.score),
            "n": len(gold),
        }
        if self.search_recall is not None:
            scores["search_recall"] = self.search_recall
        return scores


@dataclass(frozen=True)
class Miner:
    """How to mine.

    Attributes:
        margin, retrieval: see `mine_pairs`.
        neighbours: k.
        lists, probes: see `approximate_neighbours`; without probes, the search is exact.
    """

    margin: str = "ratio"
    retrieval: str = "max"
    neighbours: int = 4
    lists: int | None = None
    probes: int | None = None

    def mine(self, texts: MiningSet, source: UnitVectors, target: UnitVectors) -> Mined:
        """Candidate pairs of two texts; row i of the vectors is of the i-th distinct sentence.

        Raises:
            UserError: the vectors differ in their dimension, or faiss is needed and missing.
        """
        if source.dim != target.dim:
            raise UserError(
                f"the vectors of {texts.source.path} have {source.dim} dimensions but those of "
                f"{texts.target.path} {target.dim}; embed both with one model"
            )
        recall = None
        if self.probes is None:
            found = exact_neighbours(source, target, self.neighbours)
        else:
            found = approximate_neighbours(
                source, target, self.neighbours, lists=self.lists, probes=self.probes
            )
            recall = 100 * sampled_recall(source, target, found)
        pairs = mine_pairs(*found, margin=self.margin, retrieval=self.retrieval)
        return Mined(texts, pairs, recall)
