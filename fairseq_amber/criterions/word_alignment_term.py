"""The term ``wa`` of the criterion ``amber``: from attention maps or states to losses.

Shapes: B pairs, H heads, L aligned tokens of a sentence, T tokens of a row, D dimensions.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch

from fairseq_amber.criterions.amber_config import AmberCriterionConfig
from fairseq_amber.criterions.terms import Terms
from fairseq_amber.errors import UserError
from fairseq_amber.models.attention import take_tokens
from fairseq_amber.models.layer_number import layer_number
from fairseq_amber.objectives.state_alignment import agreement, self_training_score, state_maps
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss

_OF_STATES = ("map_temperature", "map_normalize", "map_encoding", "target", "target_threshold")
_OF_ATTENTION = ("heads", "include_diagonal")


class WordAlignmentTerm:
    """Bidirectional word alignment, by either map and either target.

    Args:
        cfg: the settings of the criterion.

    Attributes:
        layer: the layer of the maps, as given, or from 1 after ``check_model``.
        attention: whether the two passes of the prefix mask are needed.
        states: whose states are needed: ``apart``, ``joint``, or None.

    Raises:
        UserError: a setting is out of its range, or has no effect in this combination.
    """

    def __init__(self, cfg: AmberCriterionConfig):
        _check(cfg)
        self.cfg = cfg
        self.heads = None if cfg.wa_heads is None else read_heads(cfg.wa_heads)
        self.layer = cfg.wa_layer
        wanted = cfg.wa_weight != 0
        self.attention = wanted and cfg.wa_map == "attention"
        self.states = str(cfg.wa_map_encoding) if wanted and cfg.wa_map == "states" else None

    def check_model(self, model: Any) -> None:
        """Raises UserError unless the model has the layer and the heads that are asked for."""
        if not self.cfg.wa_weight:
            return
        self.layer = layer_number("--wa-layer", self.layer, model.depth)
        heads = model.encoder.sentence_encoder.layers[0].self_attn.heads
        if self.heads is not None and max(self.heads) >= heads:
            raise UserError(f"--wa-heads {max(self.heads)}: the model's heads are 0 to {heads - 1}")

    def passes(self, sentence_layer: int | None) -> dict[str, Any]:
        """Returns the arguments of the forward pass over a block: which layers it has to return.

        Args:
            sentence_layer: the layer of the sentence vectors; None if no term reads them.
        """
        return {
            "attention_layer": self.layer if self.states is None else None,
            "sentence_layer": self.layer if self.states == "joint" else sentence_layer,
            "include_diagonal": self.cfg.wa_include_diagonal,
        }

    def add(
        self,
        terms: Terms,
        block: dict[str, Any],
        extra: dict[str, Any],
        apart: torch.Tensor | None,
    ) -> None:
        """Adds the term of a block of pairs, and logs how far the two maps agree.

        Args:
            terms: the terms to add to.
            block: the block.
            extra: what the forward pass over the block returned beside the scores.
            apart: (2B, T, D) states of the first and then the second sentences, each encoded by
                itself; None if they are not needed.
        """
        masks = block["source_mask"], block["target_mask"]
        if self.attention:
            losses = self._attention_losses(extra["cross_attention"], *masks)
            scores = 1 - losses
        else:
            if apart is None:
                states, (queries, keys) = extra["sentence_states"], block["net_input"]["cross"]
                source, target = take_tokens(states, keys), take_tokens(states, queries)
            else:  # the tokens behind <s>
                source, target = apart[:, 1 : 1 + masks[0].size(1)].chunk(2)
            maps = state_maps(
                source,
                target,
                *masks,
                temperature=self.cfg.wa_map_temperature,
                normalize=self.cfg.wa_map_normalize,
            )
            scores = agreement(*maps, *masks)
            losses = 1 - scores
            if self.cfg.wa_target == "self":
                threshold = self.cfg.wa_target_threshold
                losses = -self_training_score(*maps, *masks, threshold=threshold)
        terms.add("wa", losses)
        terms.log("wa_score", scores.sum())

    def _attention_losses(
        self, cross_attention: torch.Tensor, source_mask: torch.Tensor, target_mask: torch.Tensor
    ) -> torch.Tensor:
        """Computes the (B,) losses from (2B, H, L, L) attention maps: those of [x;y] (from y to x),
        then those of [y;x] (from x to y)."""
        if self.heads is not None:
            # A list as index would be copied to the device, and the host would wait for it.
            cross_attention = torch.stack([cross_attention[:, h] for h in self.heads], dim=1)
        target_to_source, source_to_target = cross_attention.chunk(2)
        return attention_symmetry_loss(source_to_target, target_to_source, source_mask, target_mask)


def read_heads(text: str) -> list[int]:
    """Reads comma-separated numbers of attention heads, or raises UserError."""
    try:
        heads = [int(head) for head in text.split(",")]
    except ValueError:
        heads = []
    if not heads or min(heads) < 0 or len(set(heads)) < len(heads):
        raise UserError(f"--wa-heads {text!r} is not a list of attention heads, such as 0,3,5")
    return heads


def _check(cfg: AmberCriterionConfig) -> None:
    """Raises UserError where a setting is out of its range or would be ignored by this map."""
    if not cfg.wa_weight:
        return
    if not 0 < cfg.wa_map_temperature < float("inf"):
        raise UserError(
            f"--wa-map-temperature {cfg.wa_map_temperature} is not a finite number above 0"
        )
    if not 0 <= cfg.wa_target_threshold < 1:
        raise UserError(
            f"--wa-target-threshold {cfg.wa_target_threshold} is not a probability from 0 to below "
            "1"
        )
    if cfg.wa_map == "attention":
        _refuse(cfg, _OF_STATES, "on --wa-map attention: drop it, or add --wa-map states")
    else:
        _refuse(cfg, _OF_ATTENTION, "on --wa-map states: drop either")
    if cfg.wa_target == "symmetric":
        _refuse(cfg, ("target_threshold",), "on --wa-target symmetric: drop either")


def _refuse(cfg: AmberCriterionConfig, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(cfg, f"wa_{name}") != _DEFAULTS[f"wa_{name}"]:
            raise UserError(f"--wa-{name.replace('_', '-')} has no effect {why}")


_DEFAULTS = {flag.name: flag.default for flag in fields(AmberCriterionConfig)}
