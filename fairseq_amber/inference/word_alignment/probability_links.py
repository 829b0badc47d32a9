"""Links subwords that choose each other with enough probability, as awesome-align does.

Every subword has a probability of each subword of the other sentence; Dou and Neubig (2021, arXiv
2101.08231, section 2) take the softmax of the products of their states, or a sparse alternative.

Shapes: B pairs, S source subwords, T target subwords, D dimensions. Masks are True on the subwords
that count. Everything is computed in fp32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fairseq_amber.objectives.state_alignment import state_products

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


def entmax_maps(
    source: Tensor,
    target: Tensor,
    source_mask: Tensor,
    target_mask: Tensor,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
) -> tuple[Tensor, Tensor]:
    """Computes ``objectives.state_alignment.state_maps`` with ``entmax`` in place of the softmax.

    Args:
        source: (B, S, D) states of the source subwords.
        target: (B, T, D) states of the target subwords.
        source_mask: (B, S) bool.
        target_mask: (B, T) bool.
        temperature: divides the products of states.
        normalize: take the cosine instead of the dot product.

    Returns:
        (B, S, T) probabilities of the targets and (B, T, S) of the sources; 0 in the padding.
    """
    products = state_products(
        source, target, source_mask, target_mask, temperature=temperature, normalize=normalize
    )
    padding = ~(source_mask[:, :, None] & target_mask[:, None, :])
    to_target, to_source = (entmax(products, dim).masked_fill(padding, 0.0) for dim in (2, 1))
    return to_target, to_source.transpose(1, 2)


def probable_links(to_target: Tensor, to_source: Tensor, threshold: float) -> Tensor:
    """Links the subwords whose probabilities are above a threshold in both directions.

    Args:
        to_target: (B, S, T) probabilities of the targets, 0 in the padding.
        to_source: (B, T, S) probabilities of the sources, 0 in the padding.
        threshold: the threshold, from 0 up.

    Returns:
        (B, S, T) bool, True on links.
    """
    return (to_target > threshold) & (to_source.transpose(1, 2) > threshold)


def harmonic_mean(to_target: Tensor, to_source: Tensor) -> Tensor:
    """Computes the harmonic mean 2 p q / (p + q) of the probabilities of both directions.

    Args:
        to_target: (B, S, T) probabilities p of the targets.
        to_source: (B, T, S) probabilities q of the sources.

    Returns:
        (B, S, T) in [0, 1]; 0 where one of the probabilities is 0.
    """
    back = to_source.transpose(1, 2)
    total = to_target + back
    return 2 * to_target * back / total.clamp(min=torch.finfo(total.dtype).tiny)
