"""Finds the positions of linked words in a batch."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.layout import SENTENCE_SPECIALS
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
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        links: Sequence[np.ndarray],
    ) -> dict[str, Any]:
        """Returns the links of a batch, where each sentence has a row ``<s> x </s>`` of T tokens.

        Args:
            sources: B source sentences.
            targets: B target sentences.
            links: (m, 2) links of each pair.

        Returns:
            ``first`` and ``second``, (M,) int64: flat indices of the linked words among the B x T
            tokens of the source rows and of the target rows.
        """
        width = max(map(len, (*sources, *targets))) + SENTENCE_SPECIALS
        out = {}
        for side, (name, sentences) in enumerate((("first", sources), ("second", targets))):
            indices = [
                last_subwords(sentence, self.boundaries)[pair[:, side]] + 1 + width * row
                for row, (sentence, pair) in enumerate(zip(sentences, links))
            ]
            out[name] = torch.from_numpy(np.concatenate(indices))
        return out

    def lengths(self, sentences: TokenFile) -> np.ndarray:
        """Counts the words, or subwords, of each sentence of a file: (N,) int32."""
        return word_counts(sentences, self.boundaries)
