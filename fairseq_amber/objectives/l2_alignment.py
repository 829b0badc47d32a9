"""The distance of words that translate each other.

Cao et al. 2020 (arXiv 2002.03518), equation 1: over one-to-one word links of parallel sentences.
"""

from __future__ import annotations

import torch


def linked_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """``|x_i - y_i|_2^2`` of M linked words: (M, D), (M, D) -> (M,) in fp32, or fp64 if both are.

    Both sides receive gradient.
    """
    if first.dtype != torch.float64 or second.dtype != torch.float64:
        first, second = first.float(), second.float()
    return (first - second).square().sum(dim=-1)
