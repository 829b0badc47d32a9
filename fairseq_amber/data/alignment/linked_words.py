"""Finds the positions of linked words in a batch."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.example import RowStarts
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import WordBoundaries, last_subwords, word_counts


class LinkedWords:
    """Finds the positions of linked words. The position of a word is that of its last subword (Cao
    et al. 2020).

    Args:
        boundaries: the boundaries of the words that links number; None if they number subwords.
    """

    def __init__(self, boundaries: WordBoundaries | None):
        self.boundaries = boundaries

    def batch(
        self,
        sentences: Sequence[tuple[np.ndarray, ...]],
        links: Sequence[np.ndarray | None],
        starts: RowStarts,
    ) -> dict[str, Any]:
        """Returns the links of n pairs.

        Args:
            sentences: both sentences of each pair.
            links: (m, 2) links of each pair.
            starts: where the rows ``<s> x </s>`` of the sentences begin among the states of the
                micro-batch.

        Returns:
            ``first`` and ``second``, (M,) int64: the positions of the linked words among the
            states.
        """
        out = {}
        for side, (name, begins) in enumerate((("first", starts.first), ("second", starts.second))):
            indices = [np.zeros(0, dtype=np.int64)]
            for both, pair, begin in zip(sentences, links, begins.tolist()):
                if pair is not None:
                    words = last_subwords(both[side], self.boundaries)
                    indices.append(words[pair[:, side]] + 1 + begin)
            out[name] = torch.from_numpy(np.concatenate(indices))
        return out

    def lengths(self, sentences: TokenFile) -> np.ndarray:
        """Counts the words, or subwords, of each sentence of a file: (N,) int32."""
        return word_counts(sentences, self.boundaries)
