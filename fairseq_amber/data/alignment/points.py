"""Finds the points of a sentence: the subwords that stand for its words where a loss compares the
words of two languages.

Shapes: B pairs; T tokens of the longest sentence of a batch, special tokens included; P problems
(each of the B pairs, or all of them together) of at most N points on a side.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.needs import PointSettings
from fairseq_amber.data.layout import SENTENCE_SPECIALS
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import WordBoundaries, last_subwords, word_counts


class PointFinder:
    """Finds the points of sentences.

    Args:
        settings: which subwords are points, and how they share the mass.
        boundaries: where words begin; None if every subword is a point.
        idf: (V,) ``inverse_document_frequencies`` by language.
    """

    def __init__(
        self,
        settings: PointSettings,
        boundaries: WordBoundaries | None,
        idf: Mapping[str, np.ndarray] | None = None,
    ):
        self.settings = settings
        self.boundaries = boundaries
        self.idf = dict(idf or {})

    def batch(
        self, pair: str, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        """Returns the points of a batch of one corpus, in which each sentence has a row
        ``<s> x </s>`` of T tokens.

        Args:
            pair: the name of the corpus, ``<src>-<tgt>``.
            sources: B source sentences.
            targets: B target sentences.

        Returns:
            A dict, in which <side> is ``source`` and ``target`` as ``PointSettings`` names them:

            - ``target_side``: 0 or 1, the side of the corpus that is the target.
            - ``<side>_index``: (P, N) int64, flat indices among the B x T tokens of the side's
              rows, 0 in the padding.
            - ``<side>_weights``: (P, N) fp64, 0 in the padding; they sum to 1 in each problem.
            - ``<side>_mask``: (P, N) bool, False in the padding.
            - ``targets``: the number of target points.
        """
        target_side = self.settings.target_side(pair)
        width = max(map(len, (*sources, *targets))) + SENTENCE_SPECIALS
        sides = (targets, sources) if target_side == 0 else (sources, targets)
        out: dict[str, Any] = {"target_side": target_side}
        languages = pair.split("-")
        language_indices = (1 - target_side, target_side)
        for name, sentences, language_index in zip(("source", "target"), sides, language_indices):
            index, weights, mask = self._side(sentences, width, languages[language_index])
            out[f"{name}_index"] = torch.from_numpy(index)
            out[f"{name}_weights"] = torch.from_numpy(weights)
            out[f"{name}_mask"] = torch.from_numpy(mask)
        out["targets"] = int(out["target_mask"].sum())
        return out

    def positions(self, sentence: np.ndarray) -> np.ndarray:
        """Returns the positions of a sentence's n points in its row ``<s> x </s>``: (n,) int64."""
        positions = last_subwords(sentence, self.boundaries) + 1
        if self.settings.special_tokens:
            positions = np.concatenate(([0], positions, [len(sentence) + 1]))
        return positions

    def counts(self, sentences: TokenFile) -> np.ndarray:
        """Counts the points of each sentence of a file: (N,) int32."""
        special = np.int32(2 * self.settings.special_tokens)
        return word_counts(sentences, self.boundaries) + special

    def _side(
        self, sentences: Sequence[np.ndarray], width: int, language: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns (P, N) indices, weights and mask of one side, as ``batch`` describes them."""
        positions = [self.positions(sentence) for sentence in sentences]
        masses = [self._masses(*both, language) for both in zip(sentences, positions)]
        index = [columns + width * row for row, columns in enumerate(positions)]
        if self.settings.pooled:
            if not self.settings.equal_sentences:
                masses = [mass * len(mass) for mass in masses]
            joined = np.concatenate(masses)[None]
            weights = joined / joined.sum()
            return np.concatenate(index)[None], weights, np.ones(weights.shape, dtype=bool)
        most = max(map(len, index))
        mask = np.arange(most) < np.array(list(map(len, index)))[:, None]
        # In fp64, because fairseq casts fp32 tensors of a batch to fp16, which would not sum to 1.
        padded, weights = np.zeros(mask.shape, np.int64), np.zeros(mask.shape, np.float64)
        padded[mask], weights[mask] = np.concatenate(index), np.concatenate(masses)
        return padded, weights, mask

    def _masses(self, sentence: np.ndarray, positions: np.ndarray, language: str) -> np.ndarray:
        """Returns the masses of a sentence's n points, which sum to 1: (n,) float64."""
        if not self.settings.idf:
            return np.full(len(positions), 1 / len(positions))
        rarity = np.ones(len(sentence) + SENTENCE_SPECIALS)  # <s> and </s> are in all sentences
        if language in self.idf:  # other languages are not in the training text
            rarity[1:-1] = self.idf[language][sentence]
        # A word is as rare as the rarest of its subwords.
        begins = np.concatenate(([0], positions[:-1] + 1))
        masses = np.maximum.reduceat(rarity[: positions[-1] + 1], begins)
        return masses / masses.sum()


def inverse_document_frequencies(
    files: Sequence[TokenFile], size: int, sentences: int = 200_000
) -> np.ndarray:
    """Returns ``idf_t = ln((1 + n) / (1 + n_t)) + 1``, scikit-learn's smoothed form, where n_t of n
    sentences have the subword t.

    Args:
        files: text of one language.
        size: V, the number of subwords.
        sentences: number of sentences to read from the beginning of each file.

    Returns:
        (V,) float64.
    """
    seen = np.zeros(size, dtype=np.int64)
    total = 0
    for file in files:
        tokens, ends = file.head(sentences)
        sentence_index = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        distinct_keys = np.unique(sentence_index * size + tokens)
        seen += np.bincount(distinct_keys % size, minlength=size)
        total += len(ends)
    return np.log((1 + total) / (1 + seen)) + 1
