"""The states of sentences that were encoded in blocks, and the points among them.

Shapes: a block of B pairs has 2B rows of T tokens, all first sentences and then all second ones; D
dimensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import torch


class EncodedSentences(NamedTuple):
    """The sentences of a block, each encoded by itself.

    Attributes:
        states: (R, T, D) states.
        tokens: (R, T) int64 tokens, padded on the right.
        mask: (R, T) bool, the tokens that count in a sentence's mean.
    """

    states: torch.Tensor
    tokens: torch.Tensor
    mask: torch.Tensor


def flat_states(blocks: Sequence[torch.Tensor]) -> torch.Tensor:
    """Joins the (R, T, D) states of all blocks, row after row: (N, D)."""
    return torch.cat([states.flatten(0, 1) for states in blocks])


def take_points(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Picks states: (N, D) states, (...) positions among them -> (..., D)."""
    return states.index_select(0, index.flatten()).view(*index.shape, states.size(-1))


def encode_pairs(model: Any, sample: dict[str, Any], layer: int) -> list[EncodedSentences]:
    """Encodes the sentences of each block of pairs that have rows of their own.

    Args:
        model: the model.
        sample: the batch.
        layer: the number of the layer of the states, from 1.
    """
    return [
        encode_block(model, block["sentences"], layer)
        for block in sample["blocks"]
        if block["parallel"]
    ]


def encode_block(model: Any, sentences: dict[str, torch.Tensor], layer: int) -> EncodedSentences:
    """Encodes sentences that have rows of their own: ``tokens`` (R, T) and ``mask`` (R, T)."""
    tokens = sentences["tokens"]
    states, _ = model(tokens, features_only=True, sentence_layer=layer)
    return EncodedSentences(states, tokens, sentences["mask"])


def encode_layers(
    model: Any, sentences: dict[str, torch.Tensor], layers: Sequence[int]
) -> list[EncodedSentences]:
    """Encodes sentences once and returns the states of several layers.

    Args:
        model: the model.
        sentences: as in ``encode_block``.
        layers: n numbers of layers, from 1, or -1 for the last.

    Returns:
        n encodings of the same sentences.
    """
    if len(set(layers)) == 1:
        return [encode_block(model, sentences, layers[0])] * len(layers)
    tokens = sentences["tokens"]
    highest = -1 if -1 in layers else max(layers)
    _, extra = model(tokens, features_only=True, sentence_layer=highest, return_all_hiddens=True)
    states = extra["layers"]
    return [EncodedSentences(states[layer], tokens, sentences["mask"]) for layer in layers]
