"""The distance between words that translate each other.

Cao et al. 2020 (arXiv 2002.03518), equation 1, for one-to-one word links of parallel sentences.
"""

from __future__ import annotations

import torch


def linked_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Computes ``|x_i - y_i|_2^2``, the squared distance between linked words. Both sides receive a
    gradient.

    Args:
        first: (M, D) states of the words of the first sentences.
        second: (M, D) states of the words that they are linked with.

    Returns:
        (M,) distances, in fp32 or, if both sides are fp64, in fp64.
    """
    if first.dtype != torch.float64 or second.dtype != torch.float64:
        first, second = first.float(), second.float()
    return (first - second).square().sum(dim=-1)
