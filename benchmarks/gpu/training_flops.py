"""The floating-point operations of the matrix products of a training step, without padding.

A product of (a, b) and (b, c) counts 2abc. For n tokens, a layer of D dimensions and an inner
dimension F takes ``2n(4D^2 + 2DF)`` for its weights and ``4n^2 D`` for its attention. If only q of
these tokens are read, it takes ``2n(2D^2)`` for keys and values, ``2q(2D^2 + 2DF)`` for the rest,
and ``4qnD``. The head takes ``2m(D^2 + DV)`` for m predicted tokens and a vocabulary of V. A
backward pass takes twice as many as the forward pass. What a step leaves out, such as the top layer
of tokens that nothing reads, is not counted; optimal transport itself is not counted either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fairseq_amber.data.alignment.masking import MaskingRates, predicted_counts
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS


class Shape(NamedTuple):
    """The shape of an encoder.

    Attributes:
        layers: number of layers.
        dim: D, the dimension of the states.
        ffn: F, the inner dimension of a layer.
        vocabulary: V, the number of symbols.
    """

    layers: int
    dim: int
    ffn: int
    vocabulary: int

    def layer(self, tokens: np.ndarray) -> int:
        """Operations of one layer over whole rows of (n,) tokens."""
        return self.part_of_layer(tokens, tokens)

    def part_of_layer(self, tokens: np.ndarray, read: np.ndarray) -> int:
        """Operations of one layer over rows of (n,) tokens, of which (n,) are read."""
        d, f = self.dim, self.ffn
        keys = 2 * tokens * 2 * d * d
        rest = 2 * read * (2 * d * d + 2 * d * f)
        return int((keys + rest + 4 * read * tokens * d).sum())

    def cross_attention(self, tokens: np.ndarray, queries: np.ndarray) -> int:
        """Operations of the probabilities of (n,) queries over all tokens of their rows."""
        d = self.dim
        return int((2 * (tokens + queries) * d * d + 2 * tokens * queries * d).sum())

    def head(self, predicted: np.ndarray) -> int:
        """Operations of the scores of (n,) predicted tokens."""
        return int((2 * predicted * self.dim * (self.dim + self.vocabulary)).sum())


def forward_and_backward(shape: Shape, step: str, first: np.ndarray, second: np.ndarray) -> int:
    """Operations of one step on B pairs.

    Args:
        shape: the shape of the encoder.
        step: ``mlm`` encodes both sentences apart; ``tlm``; ``amber`` adds word alignment and
            sentence alignment to TLM; ``ot``, whose anchor encodes the second sentence once more,
            without a backward pass; ``stock mlm`` and ``stock tlm`` compute the top layer of all
            tokens.
        first: (B,) number of subwords of the first sentences, without special tokens.
        second: (B,) number of subwords of the second sentences, without special tokens.
    """
    apart = np.concatenate([first, second])
    rows = apart + SENTENCE_SPECIALS
    if step == "ot":
        frozen = shape.layers * shape.layer(second + SENTENCE_SPECIALS)
        return 3 * shape.layers * shape.layer(rows) + frozen
    together = first + second
    lengths, masked = apart, rows
    if not step.endswith("mlm"):
        lengths, masked = together, together + PAIR_SPECIALS
    predicted = predicted_counts(lengths, MaskingRates())
    forward = shape.head(predicted)
    if step.startswith("stock"):
        return 3 * (forward + shape.layers * shape.layer(masked))
    below = shape.layers - 1
    forward += below * shape.layer(masked) + shape.part_of_layer(masked, predicted)
    if step == "amber":
        both_ways = np.tile(together + PAIR_SPECIALS, 2)
        forward += below * shape.layer(both_ways) + shape.layer(rows)
        forward += shape.cross_attention(both_ways, np.concatenate([second, first]))
    return 3 * forward
