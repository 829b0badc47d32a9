"""Contrastive sentence alignment: a sentence chooses its translation among candidates.

This is the objective SA of AMBER (arXiv 2010.07972), section 2. With a temperature and normalised
vectors, it is InfoNCE (van den Oord et al. 2018, arXiv 1807.03748, equation 4).

Shapes: B anchors, N candidates, T tokens, D dimensions. Results are fp32, or fp64 where an
input is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fairseq_amber.objectives.precision import at_least_fp32


def mean_pool(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Averages the states that count: ``c = sum_t mask[t] states[t] / sum_t mask[t]``.

    Args:
        states: (B, T, D) states of the tokens.
        mask: (B, T) bool, True where a token counts.

    Returns:
        (B, D) sentence vectors; zeros where no token counts.
    """
    total = at_least_fp32(states).masked_fill(~mask.unsqueeze(2), 0.0).sum(dim=1)  # (B, D)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


def first_state(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Returns the state of ``<s>``, the first token of every sentence.

    Args:
        states: (B, T, D) states of the tokens.
        mask: unused; ``mean_pool`` needs it.

    Returns:
        (B, D) sentence vectors.
    """
    return at_least_fp32(states[:, 0])


# How the states of a sentence become one vector.
POOLINGS = {"mean": mean_pool, "cls": first_state}


def contrastive_loss(
    anchors: torch.Tensor,
    candidates: torch.Tensor,
    positives: torch.Tensor,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
    ignore: torch.Tensor | None = None,
) -> torch.Tensor:
    """Computes the negative log-probability of the positive of each anchor, in nats.

    ``loss[b] = -log exp(s[b, p_b]) / sum_n exp(s[b, n])``, ``s[b, n] = <a_b, c_n> / temperature``.
    The defaults are those of the paper: dot product, temperature 1, one direction.

    Args:
        anchors: (B, D) sentence vectors.
        candidates: (N, D) sentence vectors.
        positives: (B,) int64, the row of ``candidates`` that translates each anchor.
        temperature: divides the similarities.
        normalize: take the cosine instead of the dot product.
        ignore: (B, N) bool, True where a candidate must not be a negative of that anchor, because
            it is padding or the same sentence again. The positive of an anchor always counts.

    Returns:
        (B,) losses.
    """
    scores = similarities(anchors, candidates, normalize=normalize) / temperature
    return selection_loss(scores, positives, ignore)


def selection_loss(
    scores: torch.Tensor, positives: torch.Tensor, ignore: torch.Tensor | None = None
) -> torch.Tensor:
    """Computes ``loss[b] = -log softmax(scores[b])[p_b]`` over the candidates not ignored.

    Args:
        scores: (B, N) score of each candidate for each anchor.
        positives: (B,) int64, as in ``contrastive_loss``.
        ignore: (B, N) bool, as in ``contrastive_loss``.

    Returns:
        (B,) losses, in nats.
    """
    eligible = _eligible(at_least_fp32(scores), positives, ignore)
    return F.cross_entropy(eligible, positives, reduction="none")


def is_selected(
    scores: torch.Tensor, positives: torch.Tensor, ignore: torch.Tensor | None = None
) -> torch.Tensor:
    """Finds out whether the positive of each anchor scores higher than its negatives.

    Args:
        scores: (B, N) score of each candidate for each anchor.
        positives: (B,) int64, as in ``contrastive_loss``.
        ignore: (B, N) bool, as in ``contrastive_loss``.

    Returns:
        (B,) bool.
    """
    own = scores.gather(1, positives.unsqueeze(1))
    others = _eligible(scores, positives, ignore).scatter(1, positives.unsqueeze(1), float("-inf"))
    return (own > others).all(dim=1)


def _eligible(
    scores: torch.Tensor, positives: torch.Tensor, ignore: torch.Tensor | None
) -> torch.Tensor:
    """Sets the (B, N) scores of ignored candidates to minus infinity, but never a positive's."""
    if ignore is None:
        return scores
    others = ignore.scatter(1, positives.unsqueeze(1), False)  # (B, N)
    return scores.masked_fill(others, float("-inf"))


def similarities(
    anchors: torch.Tensor, candidates: torch.Tensor, *, normalize: bool = False
) -> torch.Tensor:
    """Computes dot products, or cosines with ``normalize``: (B, D), (N, D) -> (B, N)."""
    anchors, candidates = at_least_fp32(anchors, candidates)
    if normalize:
        anchors, candidates = F.normalize(anchors, dim=1), F.normalize(candidates, dim=1)
    with torch.autocast(anchors.device.type, enabled=False):
        return anchors @ candidates.t()
