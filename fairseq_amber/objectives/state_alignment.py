"""Word alignment by states: the two softmaxes of one matrix of products are made to agree.

This is the other reading of the objective WA of AMBER (arXiv 2010.07972, section 2), with
``A_yx[i, j] = g_y[i] . g_x[j]``, a product of states. It is also what awesome-align fine-tunes
with (Dou and Neubig 2021, arXiv 2101.08231, section 2): ``agreement`` is its consistency
optimisation, ``self_training_score`` its self-training objective.

Shapes: B pairs, S source tokens, T target tokens, D dimensions. Half precision is computed in fp32,
and fp64 in fp64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fairseq_amber.objectives.precision import at_least_fp32


def state_maps(
    source: torch.Tensor,
    target: torch.Tensor,
    source_mask: torch.Tensor,
    target_mask: torch.Tensor,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Computes the two maps of each pair.

    ``A_st[i, j] = softmax_j(x_i . y_j / temperature)`` runs over the counting target tokens, and
    ``A_ts[j, i] = softmax_i(x_i . y_j / temperature)`` over the counting source tokens.

    Args:
        source: (B, S, D) states x of the source tokens; the padding may hold any value.
        target: (B, T, D) states y of the target tokens; the padding may hold any value.
        source_mask: (B, S) bool, True where a source token counts.
        target_mask: (B, T) bool, True where a target token counts.
        temperature: divides the products.
        normalize: take the cosine instead of the dot product.

    Returns:
        (B, S, T) probabilities A_st and (B, T, S) probabilities A_ts; 0 in the padding.
    """
    products = state_products(
        source, target, source_mask, target_mask, temperature=temperature, normalize=normalize
    )
    both = source_mask.unsqueeze(2) & target_mask.unsqueeze(1)  # (B, S, T)
    to_target, to_source = (products.softmax(dim).masked_fill(~both, 0.0) for dim in (2, 1))
    return to_target, to_source.transpose(1, 2)


def state_products(
    source: torch.Tensor,
    target: torch.Tensor,
    source_mask: torch.Tensor,
    target_mask: torch.Tensor,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
) -> torch.Tensor:
    """Computes ``x_i . y_j / temperature``, of which ``state_maps`` takes the softmaxes.

    Args:
        source: as in ``state_maps``.
        target: as in ``state_maps``.
        source_mask: as in ``state_maps``.
        target_mask: as in ``state_maps``.
        temperature: as in ``state_maps``.
        normalize: as in ``state_maps``.

    Returns:
        (B, S, T) products; the smallest number of their dtype in the padding. Minus infinity would
        make the softmax over a padded row NaN.
    """
    both = source_mask.unsqueeze(2) & target_mask.unsqueeze(1)  # (B, S, T)
    x, y = (
        # Not only the products are masked: the gradient of NaN times 0 would be NaN.
        at_least_fp32(states).masked_fill(~mask.unsqueeze(2), 0.0)
        for states, mask in ((source, source_mask), (target, target_mask))
    )
    if normalize:
        x, y = F.normalize(x, dim=2), F.normalize(y, dim=2)
    with torch.autocast(x.device.type, enabled=False):
        products = torch.bmm(x, y.transpose(1, 2)) / temperature
    return products.masked_fill(~both, torch.finfo(products.dtype).min)


def agreement(
    source_to_target: torch.Tensor,
    target_to_source: torch.Tensor,
    source_mask: torch.Tensor,
    target_mask: torch.Tensor,
) -> torch.Tensor:
    """Computes ``s = sum_ij A_st[i, j] A_ts[j, i] / min(|s|, |t|)``, the normalised trace of the
    product of the two maps of each pair.

    It lies in [0, 1], because the rows of either map sum to 1, and is 1 when both are the same
    one-to-one alignment. It is ``1 / min(|s|, |t|)`` for states that are all equal, whose maps are
    uniform. The loss is ``1 - s``, as in ``word_alignment.attention_symmetry_loss``.

    Args:
        source_to_target: (B, S, T) probabilities A_st, 0 in the padding.
        target_to_source: (B, T, S) probabilities A_ts, 0 in the padding.
        source_mask: (B, S) bool, True where a source token counts.
        target_mask: (B, T) bool, True where a target token counts.

    Returns:
        (B,) agreements, without unit; 0 and no gradient for a pair without a counting token on one
        side.
    """
    trace = (source_to_target * target_to_source.transpose(1, 2)).sum(dim=(1, 2))
    return trace / torch.minimum(_lengths(source_mask), _lengths(target_mask))


def self_training_score(
    source_to_target: torch.Tensor,
    target_to_source: torch.Tensor,
    source_mask: torch.Tensor,
    target_mask: torch.Tensor,
    *,
    threshold: float = 0.001,
) -> torch.Tensor:
    """Computes how much probability the maps give to the links on which they agree.

    ``s = sum_ij I[i, j] (A_st[i, j] / |s| + A_ts[j, i] / |t|) / 2``, where ``I[i, j]`` is 1 if
    ``A_st[i, j]`` and ``A_ts[j, i]`` are both above the threshold, and is a constant: no gradient
    flows into the choice of the links. The loss is ``-s``.

    s lies in [0, 1]. It is 1, and has no gradient, as soon as every probability is above the
    threshold. So the maps have to be sharp before this can sharpen them.

    The equation and the threshold are those of Dou and Neubig 2021, section 2. Their code leaves
    out the factor 1/2. It also takes I from an earlier pass without dropout, and extends it to all
    subwords of two words that have a link; here I is that of the same maps, subword by subword.

    Args:
        source_to_target: (B, S, T) probabilities A_st, 0 in the padding.
        target_to_source: (B, T, S) probabilities A_ts, 0 in the padding.
        source_mask: (B, S) bool, True where a source token counts.
        target_mask: (B, T) bool, True where a target token counts.
        threshold: the probability above which both maps have a link, from 0 up.

    Returns:
        (B,) scores, without unit; 0 and no gradient for a pair without any link.
    """
    back = target_to_source.transpose(1, 2)  # (B, S, T)
    links = (source_to_target > threshold) & (back > threshold)
    sizes = (_lengths(mask)[:, None, None] for mask in (source_mask, target_mask))
    forward, backward = (
        one.masked_fill(~links, 0.0) / size for one, size in zip((source_to_target, back), sizes)
    )
    return (forward + backward).sum(dim=(1, 2)) / 2


def _lengths(mask: torch.Tensor) -> torch.Tensor:
    """Counts the tokens of each sentence, at least 1: (B, L) bool -> (B,) int64."""
    return mask.sum(dim=1).clamp(min=1)
