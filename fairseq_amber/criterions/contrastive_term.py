"""The contrastive term of a step: contrastive loss and retrieval accuracy.

Shapes: A anchors, N candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from fairseq_amber.criterions.update_pairs import Choice
from fairseq_amber.objectives.sentence_alignment import (
    is_selected,
    selection_loss,
    similarities,
)


class ContrastiveTerm(NamedTuple):
    """Sums over the anchors that count.

    Attributes:
        total: the losses of all anchors, for the gradient.
        own: the losses of this step's anchors, for the log.
        correct: how many of this step's sources score their own target highest, for the log.
    """

    total: torch.Tensor
    own: torch.Tensor
    correct: torch.Tensor


def contrastive_term(
    choice: Choice,
    *,
    temperature: float,
    normalize: bool,
    symmetric: bool,
    both_sides: bool = False,
) -> ContrastiveTerm:
    """Lets sources choose their targets.

    ``objectives.sentence_alignment.contrastive_loss`` has the equation of an anchor's loss.

    Args:
        choice: the anchors and the candidates that they choose among.
        temperature: divides the similarities.
        normalize: take the cosine instead of the dot product.
        symmetric: let targets choose their sources too; the loss is the mean of both directions.
        both_sides: the candidates' own sides are negatives too: a source chooses its target among
            all targets and all other sources (strong alignment of Wu and Dredze 2020, arXiv
            2010.02537).

    Returns:
        The sums of the losses and the number of correct choices.
    """

    # An anchor itself is ignored among the candidates of its own side.
    ignore = torch.cat([choice.ignore, choice.ignore], dim=1) if both_sides else choice.ignore

    def one_way(anchors: torch.Tensor, *sides: torch.Tensor):
        candidates = torch.cat(sides) if both_sides else sides[0]
        scores = similarities(anchors, candidates, normalize=normalize) / temperature
        return selection_loss(scores, choice.positives, ignore), scores

    anchors, (sources, targets, _) = choice.anchors, choice.candidates
    losses, scores = one_way(anchors.sources, targets, sources)
    if symmetric:
        back, _ = one_way(anchors.targets, sources, targets)
        losses = (losses + back) / 2
    losses = losses * choice.weights
    own = choice.own
    with torch.no_grad():
        right = is_selected(scores[own], choice.positives[own], ignore[own])
        correct = (right * choice.weights[own]).sum()
    return ContrastiveTerm(losses.sum(), losses[own].sum(), correct)
