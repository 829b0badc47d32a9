"""What several criterions ask of the model."""

from __future__ import annotations

from typing import Any, Iterable

import torch

from fairseq_amber.errors import UserError


def layer_number(flag: str, layer: int, model: Any) -> int:
    """From 1, where -1 is the last.

    Raises:
        UserError: the model has no such layer.
    """
    depth = len(model.encoder.sentence_encoder.layers)
    if layer == -1:
        return depth
    if not 1 <= layer <= depth:
        raise UserError(f"{flag} {layer}: the model's layers are 1 to {depth}")
    return layer


def touch(parameters: Iterable[torch.Tensor]) -> torch.Tensor | float:
    """0, from each: c10d wants every micro-batch to give every parameter a gradient."""
    return sum((parameter.flatten()[:0].sum() for parameter in parameters), 0.0)
