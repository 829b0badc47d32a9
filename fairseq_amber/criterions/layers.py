"""What several criterions ask of the model."""

from __future__ import annotations

from typing import Any, Iterable

import torch


def touch(parameters: Iterable[torch.Tensor]) -> torch.Tensor | float:
    """0, from each: c10d wants every micro-batch to give every parameter a gradient."""
    return sum((parameter.flatten()[:0].sum() for parameter in parameters), 0.0)


def unread(model: Any, layer: int) -> list[torch.Tensor]:
    """The parameters that states of a layer, counted from 1, do not depend on."""
    encoder = model.encoder
    tied = encoder.sentence_encoder.embed_tokens.weight
    above = encoder.sentence_encoder.layers[layer:]
    return [p for part in (above, encoder.lm_head) for p in part.parameters() if p is not tied]
