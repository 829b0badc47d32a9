"""The layers of the model that a criterion reads, and the parameters that it leaves unused."""

from __future__ import annotations

from typing import Any, Iterable

import torch


def unread_parameters(model: Any, layer: int) -> list[torch.Tensor]:
    """Finds the parameters that the states of a layer do not depend on.

    Args:
        model: an ``amber`` model.
        layer: the number of the layer, from 1.

    Returns:
        The parameters of the layers above and of the language model head. The embedding, which the
        head shares, is not among them.
    """
    encoder = model.encoder
    tied = encoder.sentence_encoder.embed_tokens.weight
    above = encoder.sentence_encoder.layers[layer:]
    return [p for part in (above, encoder.lm_head) for p in part.parameters() if p is not tied]


def zero_from(parameters: Iterable[torch.Tensor]) -> torch.Tensor | float:
    """Returns a zero that depends on every parameter, so that DDP sees a gradient for each.

    DDP waits for a gradient of every parameter in each micro-batch. Added to the loss, this zero
    gives one to the parameters that the loss does not use.
    """
    return sum((parameter.flatten()[:0].sum() for parameter in parameters), 0.0)


def empty_vectors(parameters: Iterable[torch.Tensor], dim: int) -> torch.Tensor:
    """Returns (0, dim) vectors that depend on every parameter."""
    weights = list(parameters)
    return weights[0].new_zeros(0, dim) + zero_from(weights)


def cut_above(model: Any, layer: int) -> None:
    """Removes the layers above ``layer`` (from 1) and the language model head, in place."""
    del model.encoder.lm_head
    del model.encoder.sentence_encoder.layers[layer:]
