"""Bidirectional word alignment: the two cross-attention maps of a pair are made to agree.

This is the objective WA of AMBER (arXiv 2010.07972), section 2.

Shapes: B pairs, H heads, S source tokens, T target tokens.
"""

from __future__ import annotations

import torch

from fairseq_amber.objectives.precision import at_least_fp32


def attention_symmetry_loss(
    source_to_target: torch.Tensor,
    target_to_source: torch.Tensor,
    source_mask: torch.Tensor,
    target_mask: torch.Tensor,
) -> torch.Tensor:
    """Computes 1 minus the mean trace of the product of the two attention maps of each pair.

    ``loss = 1 - 1/H sum_h tr(A_st^h A_ts^h) / min(|s|, |t|)``, where
    ``tr(A_st A_ts) = sum_ij A_st[i, j] A_ts[j, i]``.

    A row of either map sums to at most 1 (a query may also attend to its own prefix), so the trace
    is at most ``min(|s|, |t|)`` and the loss lies in [0, 1]. It is 0 when both maps are the same
    one-to-one alignment.

    Args:
        source_to_target: (B, H, S, T) attention probabilities of source queries over target keys.
        target_to_source: (B, H, T, S) attention probabilities of target queries over source keys.
        source_mask: (B, S) bool, True where a source token counts.
        target_mask: (B, T) bool, True where a target token counts.

    Returns:
        (B,) losses, without unit, in fp32 or, if a map is fp64, in fp64. A pair that has no
        counting token on one side has trace 0, hence loss 1 and no gradient.
    """
    pairs = source_mask.unsqueeze(2) & target_mask.unsqueeze(1)  # (B, S, T)
    source_to_target, target_to_source = at_least_fp32(source_to_target, target_to_source)
    agreement = source_to_target * target_to_source.transpose(2, 3)  # (B, H, S, T)
    # Masking, unlike multiplication by 0, also removes NaN and infinity from the padding.
    trace = agreement.masked_fill(~pairs.unsqueeze(1), 0.0).sum(dim=(2, 3))  # (B, H)
    shorter = torch.minimum(source_mask.sum(dim=1), target_mask.sum(dim=1)).clamp(min=1)
    return 1.0 - trace.mean(dim=1) / shorter
