"""The distance between words that translate each other.

Cao et al. 2020 (arXiv 2002.03518), equation 1, for one-to-one word links of parallel sentences.
"""

from __future__ import annotations

import torch

from fairseq_amber.objectives.precision import at_least_fp32


def linked_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Computes ``|x_i - y_i|_2^2``, the squared distance between linked words. Both sides receive a
    gradient.

    Args:
        first: (M, D) states of the words of the first sentences.
        second: (M, D) states of the words that they are linked with.

    Returns:
        (M,) distances, in fp32 or, if either side is fp64, in fp64.
    """
    first, second = at_least_fp32(first, second)
    return (first - second).square().sum(dim=-1)
