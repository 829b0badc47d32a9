"""The optimal transport term and its anchor: from the states of a batch of pairs to losses.

Shapes: P problems of at most N source and M target points, D dimensions.
"""

from __future__ import annotations

from typing import Any, Sequence

import torch

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.encoded_sentences import (
    EncodedSentences,
    flat_states,
    take_points,
)
from fairseq_amber.criterions.terms import Terms
from fairseq_amber.criterions.transport_config import (
    TransportConfig,
    check,
    largest_cost,
    point_settings,
)
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.optimal_transport import (
    cosine_cost,
    exact_transport,
    norm_weights,
    position_cost,
    sinkhorn,
    sinkhorn_divergence,
    squared_euclidean_cost,
)


class TransportTerms:
    """The terms ``ot`` and ``anchor`` of a criterion.

    Args:
        cfg: the settings of the terms.
        task: the task, whose model is to be trained.

    Attributes:
        layer: the number of the layer whose states are transported, from 1.
        points: the points that a batch has to hold.
        normalized_by: the count that the anchor is divided by, as ``Terms`` takes it.
        frozen: the initial encoder, where a term reads it.
    """

    def __init__(self, cfg: TransportConfig, task: Any):
        check(cfg)
        self.cfg = cfg
        self.layer = layer_number("--ot-layer", cfg.ot_layer, task.model.depth)
        self.points = point_settings(cfg)
        self.normalized_by = anchor.normalized_by(cfg)
        frozen = bool(cfg.ot_weight) and cfg.ot_target_states == "frozen"
        self.frozen = anchor.frozen_encoder(cfg, task, self.layer, targets=frozen)

    def add(self, terms: Terms, sentences: Sequence[EncodedSentences], sample: Any) -> None:
        """Adds the terms of a micro-batch whose weight is not 0.

        Args:
            terms: the terms to add to.
            sentences: the sentences of each block of pairs.
            sample: the batch, with its ``points``.
        """
        points = sample["points"]
        states = flat_states([block.states for block in sentences])
        source = take_points(states, points["source_index"])
        target = initial = take_points(states, points["target_index"])
        if self.frozen is not None:
            initial = take_points(
                self.frozen.target_states(sentences, sample), points["initial_index"]
            )
        if self.cfg.ot_weight:
            target_states = initial if self.cfg.ot_target_states == "frozen" else target
            losses = transport_losses(self.cfg, source, target_states, points)
            terms.add("ot", losses * points["problem_pairs"], sample["npairs"])
        if self.cfg.anchor_weight:
            anchor.add_anchor(terms, self.cfg, target, initial, sample)


def transport_losses(
    cfg: TransportConfig, source: torch.Tensor, target: torch.Tensor, points: Any
) -> torch.Tensor:
    """Solves the problems of a batch.

    Args:
        cfg: the solver, its settings, and the marginals.
        source: (P, N, D) states of the source points; half precision is computed in fp32 or more.
        target: (P, M, D) states of the target points.
        points: their weights and masks; see ``data.alignment.points.PointFinder``.

    Returns:
        (P,) costs of moving the source points to the target points.
    """
    masks = points["source_mask"], points["target_mask"]
    weights = points["source_weights"], points["target_weights"]
    if cfg.ot_marginals == "norm":
        weights = norm_weights(source, masks[0]), norm_weights(target, masks[1])
    if cfg.ot_solver == "divergence":
        return sinkhorn_divergence(
            source,
            target,
            *weights,
            p=cfg.ot_p,
            blur=cfg.ot_blur,
            scaling=cfg.ot_scaling,
            debias=not cfg.ot_biased,
        )
    valid = masks[0].unsqueeze(2) & masks[1].unsqueeze(1)
    if cfg.ot_cost == "cosine":
        cost = cosine_cost(source, target, valid)
    else:
        cost = squared_euclidean_cost(source, target, valid)
    if cfg.ot_position_weight:
        cost = cost + cfg.ot_position_weight * position_cost(*masks, cost.dtype)
    if cfg.ot_solver == "exact":
        return exact_transport(cost, *weights).cost
    return sinkhorn(
        cost,
        *weights,
        epsilon=cfg.ot_epsilon,
        iterations=cfg.ot_iterations,
        tolerance=cfg.ot_tolerance,
        reach=cfg.ot_reach,
        mass=cfg.ot_mass,
        max_cost=largest_cost(cfg),
        gradient=cfg.ot_gradient,
        kernel=cfg.ot_kernel,
    ).cost
