"""Finds the points of a sentence: the subwords that stand for its words where a loss compares the
words of two languages.

Shapes: n pairs of a micro-batch; P problems (each of the n pairs, or all pairs of two languages
together) of at most N points on a side.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.example import RowStarts
from fairseq_amber.data.alignment.needs import PointSettings
from fairseq_amber.data.layout import SENTENCE_SPECIALS
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import Words
from fairseq_amber.files.pair_names import languages_of
from fairseq_amber.tokenizers.word_boundaries import last_subwords


class PointFinder:
    """Finds the points of sentences.

    Args:
        settings: which subwords are points, and how they share the mass.
        idf: (V,) ``inverse_document_frequencies`` by language.
    """

    def __init__(
        self,
        settings: PointSettings,
        idf: Mapping[str, np.ndarray] | None = None,
    ):
        self.settings = settings
        self.idf = dict(idf or {})

    def batch(
        self,
        pairs: Sequence[str],
        sentences: Sequence[tuple[np.ndarray, ...]],
        words: Sequence[tuple[np.ndarray, ...] | None],
        starts: RowStarts,
    ) -> dict[str, Any]:
        """Returns the points of n pairs of any corpora.

        Args:
            pairs: the name of each pair's corpus, ``<src>-<tgt>``.
            sentences: both sentences of each pair.
            words: where the words of both sentences begin; None where every subword is a point.
            starts: where the rows ``<s> x </s>`` of the sentences begin among the states of the
                micro-batch.

        Returns:
            A dict, in which <side> is ``source`` and ``target`` as ``PointSettings`` names them:

            - ``<side>_index``: (P, N) int64, positions among the states, 0 in the padding.
            - ``<side>_weights``: (P, N) fp64, 0 in the padding; they sum to 1 in each problem.
            - ``<side>_mask``: (P, N) bool, False in the padding.
            - ``initial_index``: (P, N) int64, the positions of the target points among the states
              of the target sentences alone.
            - ``problem_pairs``: (P,) int64, how many pairs each problem has.
            - ``targets``: the number of target points.
        """
        sides = np.array([self.settings.target_side(pair) for pair in pairs], dtype=np.int64)
        rows = np.stack([starts.first, starts.second])
        groups: np.ndarray = np.arange(len(pairs))
        if self.settings.pooled:
            number = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
            groups = np.array([number[pair] for pair in pairs], dtype=np.int64)
        out: dict[str, Any] = {}
        for name, chosen in (("source", 1 - sides), ("target", sides)):
            members = [both[side] for both, side in zip(sentences, chosen.tolist())]
            languages = [languages_of(pair)[side] for pair, side in zip(pairs, chosen.tolist())]
            begun = [None if both is None else both[s] for both, s in zip(words, chosen.tolist())]
            positions = [self.positions(*item) for item in zip(members, begun)]
            masses = [self._masses(*item) for item in zip(members, positions, languages)]
            begins = rows[chosen, np.arange(len(pairs))] if len(pairs) else starts.first
            index, weights, mask = self._side(positions, masses, begins, groups)
            out[f"{name}_index"] = torch.from_numpy(index)
            out[f"{name}_weights"] = torch.from_numpy(weights)
            out[f"{name}_mask"] = torch.from_numpy(mask)
        initial, _, _ = self._side(positions, masses, starts.alone, groups)
        out["initial_index"] = torch.from_numpy(initial)
        out["problem_pairs"] = torch.from_numpy(np.bincount(groups))
        out["targets"] = int(out["target_mask"].sum())
        return out

    def positions(self, sentence: np.ndarray, words: np.ndarray | None = None) -> np.ndarray:
        """Returns the positions of a sentence's n points in its row ``<s> x </s>``: (n,) int64.

        Args:
            sentence: (T,) ids.
            words: (T,) bool, where its words begin, if the points are words.
        """
        if self.settings.words:
            assert words is not None
            positions = last_subwords(words) + 1
        else:
            positions = np.arange(1, len(sentence) + 1)
        if self.settings.special_tokens:
            positions = np.concatenate(([0], positions, [len(sentence) + 1]))
        return positions

    def counts(self, sentences: TokenFile, words: Words | None = None) -> np.ndarray:
        """Counts the points of each sentence of a file: (N,) int32.

        Args:
            sentences: the file.
            words: its words, if the points are words.
        """
        special = np.int32(2 * self.settings.special_tokens)
        if self.settings.words:
            assert words is not None
            return words.counts() + special
        return sentences.sizes - np.int32(1) + special

    def _side(
        self,
        positions: Sequence[np.ndarray],
        masses: Sequence[np.ndarray],
        begins: np.ndarray,
        groups: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns (P, N) indices, weights and mask of one side, as ``batch`` describes them.

        Args:
            positions: the positions of each sentence's points in its row.
            masses: their masses, which sum to 1 in each sentence.
            begins: (n,) where the rows begin.
            groups: (n,) the number of each sentence's problem.
        """
        if self.settings.pooled and not self.settings.equal_sentences:
            masses = [mass * len(mass) for mass in masses]
        counts = np.array(list(map(len, positions)), dtype=np.int64)
        order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups, weights=counts).astype(np.int64)
        mask = np.arange(sizes.max(initial=0)) < sizes[:, None]
        # In fp64, because fairseq casts fp32 tensors of a batch to fp16, which would not sum to 1.
        index, weights = np.zeros(mask.shape, np.int64), np.zeros(mask.shape, np.float64)
        if len(order):
            index[mask] = np.concatenate([positions[i] + begins[i] for i in order])
            weights[mask] = np.concatenate([masses[i] for i in order])
            weights /= weights.sum(axis=1, keepdims=True)
        return index, weights, mask

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
