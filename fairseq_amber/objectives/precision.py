"""The precision in which objectives compute."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch


def at_least_fp32(*tensors: torch.Tensor) -> Any:
    """Converts tensors to the precision in which an objective computes: fp64 where one of them is
    fp64, otherwise fp32.

    Half precision has too few bits for the sums, exponentials and differences of an objective.
    Double precision stays, so that finite differences can check a gradient.

    Args:
        tensors: tensors of any shape and type.

    Returns:
        The only tensor, or a tuple of them; a tensor in that precision is returned itself.
    """
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors), torch.float32)
    converted = tuple(tensor.to(dtype) for tensor in tensors)
    return converted[0] if len(converted) == 1 else converted
