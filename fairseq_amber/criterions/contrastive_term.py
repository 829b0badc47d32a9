"""The loss of a choice among sentence pairs, and how often it is right."""

from __future__ import annotations

from typing import NamedTuple

import torch

from fairseq_amber.criterions.update_pairs import Choice
from fairseq_amber.objectives.sentence_alignment import (
    is_selected,
    selection_loss,
    similarities,
)


class Contrast(NamedTuple):
    """Sums over anchors that count. total: the losses of all anchors, whose gradient is wanted.
    own: those of this step's anchors, to be reported. correct: how many of these score their own
    candidate highest, sources choosing targets."""

    total: torch.Tensor
    own: torch.Tensor
    correct: torch.Tensor


def contrast(choice: Choice, *, temperature: float, normalize: bool, symmetric: bool) -> Contrast:
    """Sources choose targets; where ``symmetric``, the mean of that and of targets that choose
    sources. See ``objectives.sentence_alignment.contrastive_loss`` for the loss of an anchor."""

    def one_way(anchors: torch.Tensor, candidates: torch.Tensor):
        scores = similarities(anchors, candidates, normalize=normalize) / temperature
        return selection_loss(scores, choice.positives, choice.ignore), scores

    anchors, candidates = choice.anchors, choice.candidates
    losses, scores = one_way(anchors.sources, candidates.targets)
    if symmetric:
        back, _ = one_way(anchors.targets, candidates.sources)
        losses = (losses + back) / 2
    losses = losses * choice.weights
    own = choice.own
    with torch.no_grad():
        right = is_selected(scores[own], choice.positives[own], choice.ignore[own])
        correct = (right * choice.weights[own]).sum()
    return Contrast(losses.sum(), losses[own].sum(), correct)
