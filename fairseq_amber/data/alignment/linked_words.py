"""Where linked words of a sentence pair lie in a batch."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.layout import SENTENCE_SPECIALS
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import WordBoundaries, last_subwords, word_counts


class LinkedWords:
    """A word stands where its last subword does (Cao et al. 2020).

    Args:
        boundaries: of the words that links number; None where they number subwords.
    """

    def __init__(self, boundaries: WordBoundaries | None):
        self.boundaries = boundaries

    def batch(
        self,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        links: Sequence[np.ndarray],
    ) -> dict[str, Any]:
        """The links of a batch, each sentence in a row ``<s> x </s>`` of T tokens.

        Args:
            sources, targets: B sentences.
            links: (m, 2) of each pair.

        Returns:
            ``first``, ``second`` (M,) int64: places of linked words among the B x T tokens of the
            rows of the pairs' first sentences, and of their second ones.
        """
        width = max(map(len, (*sources, *targets))) + SENTENCE_SPECIALS
        out = {}
        for side, (name, sentences) in enumerate((("first", sources), ("second", targets))):
            places = [
                last_subwords(sentence, self.boundaries)[pair[:, side]] + 1 + width * row
                for row, (sentence, pair) in enumerate(zip(sentences, links))
            ]
            out[name] = torch.from_numpy(np.concatenate(places))
        return out

    def lengths(self, sentences: TokenFile) -> np.ndarray:
        """(N,) int32: how many words, or subwords, each sentence of a file has."""
        return word_counts(sentences, self.boundaries)
