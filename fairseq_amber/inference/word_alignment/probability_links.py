"""Links subwords that choose each other with enough probability, as awesome-align does.

Every subword has a probability of each subword of the other sentence: the softmax of the products
of their states (Dou and Neubig, 2021, arXiv 2101.08231, section 2), or a sparse alternative.

Shapes: B pairs, S source subwords, T target subwords. Masks are True on the subwords that count.
"""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

_OUT_OF_REACH = -2.0  # in ``entmax``, where tau is never below -1


def entmax(logits: Tensor, dim: int) -> Tensor:
    """Computes 1.5-entmax, a softmax that is 0 for logits which are far below the others.

        p = argmax over the simplex of p . z + 4/3 sum_i (p_i - p_i^1.5)
          = max(z / 2 - tau, 0)^2, with the tau of which the sum of p is 1

    It is exact: with z sorted, tau has a closed form for each number of probabilities that are not
    0, and one of these numbers fits (Peters et al., 2019, arXiv 1905.05702, Algorithm 2).

    Args:
        logits: z, of any shape. Padding holds the smallest number of the dtype.
        dim: the dimension of the distributions.

    Returns:
        p, of the same shape.
    """
    halves = logits / 2
    halves = (halves - halves.amax(dim, keepdim=True)).clamp(min=_OUT_OF_REACH)
    ranked = halves.sort(dim, descending=True).values
    shape = [-1 if axis == dim % logits.dim() else 1 for axis in range(logits.dim())]
    count = torch.arange(1, logits.size(dim) + 1, device=logits.device).view(shape)
    mean = ranked.cumsum(dim) / count
    variance = ranked.square().cumsum(dim) / count - mean.square()
    tau = mean - (1 / count - variance).clamp(min=0).sqrt()
    support = (tau <= ranked).sum(dim, keepdim=True).clamp(min=1)  # 0 where a logit is NaN
    return (halves - tau.gather(dim, support - 1)).clamp(min=0).square()


def both_ways(
    probabilities: Callable[[Tensor, int], Tensor],
    products: Tensor,
    source_mask: Tensor,
    target_mask: Tensor,
) -> tuple[Tensor, Tensor]:
    """Computes the probability of each target for a source, and of each source for a target.

    Args:
        probabilities: makes logits distributions along a dimension: ``torch.softmax`` or
            ``entmax``.
        products: (B, S, T) logits, of ``objectives.state_alignment.state_products``.
        source_mask: (B, S) bool.
        target_mask: (B, T) bool.

    Returns:
        (B, S, T) probabilities whose rows sum to 1, and (B, S, T) whose columns do; 0 in the
        padding.
    """
    padding = ~(source_mask[:, :, None] & target_mask[:, None, :])
    to_target, to_source = (
        probabilities(products, dim).masked_fill(padding, 0.0) for dim in (2, 1)
    )
    return to_target, to_source


def link_probability(products: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
    """Computes how sure a link is, as awesome-align's code does.

        2 p q / (p + q),  p = softmax_j(z_ij / sqrt(|y|)),  q = softmax_i(z_ij / sqrt(|x|))

    The roots soften the probabilities, of which those that decide on links are nearly all 0 or 1.

    Args:
        products: (B, S, T) logits z, as in ``both_ways``.
        source_mask: (B, S) bool; |x| is the number of subwords that count.
        target_mask: (B, T) bool; |y| likewise.

    Returns:
        (B, S, T) in [0, 1]; 0 in the padding.
    """
    x, y = (mask.sum(dim=1).clamp(min=1)[:, None, None] for mask in (source_mask, target_mask))
    p, q = (products / y.sqrt()).softmax(2), (products / x.sqrt()).softmax(1)
    total = (p + q).clamp(min=torch.finfo(p.dtype).tiny)
    padding = ~(source_mask[:, :, None] & target_mask[:, None, :])
    return (2 * p * q / total).masked_fill(padding, 0.0)
