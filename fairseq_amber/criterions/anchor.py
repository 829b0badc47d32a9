"""The frozen initial encoder and the term that keeps the trained one near it."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
import copy
import logging
import os
from dataclasses import dataclass, field
from typing import Any, Dict, Optional

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.file_io import PathManager
from omegaconf import II

from fairseq_amber.criterions.layers import cut_above
from fairseq_amber.criterions.terms import Terms
from fairseq_amber.errors import UserError
from fairseq_amber.objectives.anchoring import anchoring_loss

logger = logging.getLogger(__name__)


@dataclass
class AnchorConfig(FairseqDataclass):
    """How the trained encoder is kept near the one that it starts from."""

    anchor_weight: float = field(
        default=1.0,
        metadata={
            "help": "weight of the squared distance of target points from what the initial encoder "
            "makes of them; 0 leaves it out (arXiv 2110.02887: 1)"
        },
    )
    anchor_reduction: ChoiceEnum(["mean", "sum", "mse"]) = field(  # type: ignore[valid-type]
        default="mean",
        metadata={
            "help": "of the squared distances: mean over points; sum over the points of an OT "
            "problem, as arXiv 2110.02887 prints it, then mean over pairs; or mean over points "
            "and dimensions (Cao et al. 2020's code)"
        },
    )
    anchor_checkpoint: Optional[str] = field(
        default=None,
        metadata={
            "help": "the initial encoder (default: what --finetune-from-model or --restore-file "
            "names; else the random weights that the run begins with)"
        },
    )
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    restore_file: str = II("checkpoint.restore_file")


class FrozenEncoder:
    """A copy of the model as it was before training, up to the layer that is read.

    It is no module, so that neither optimiser nor checkpoint nor the other ranks know of it: a run
    that is resumed makes it again, from the same checkpoint or seed. It computes in the trained
    model's type, so that the two are equal to the bit before the first update without dropout.

    Raises:
        UserError: the checkpoint is missing, cannot be read, or is of another architecture.
    """

    def __init__(self, model: Any, cfg: AnchorConfig, layer: int):
        self.layer = layer
        self.model = copy.deepcopy(model)
        path = _checkpoint(cfg)
        if path is None:
            logger.warning(
                "no checkpoint is named by --finetune-from-model, --restore-file or "
                "--anchor-checkpoint: the model is kept near the random weights of its --seed"
            )
        else:
            self.model.load_state_dict(_weights(path, cfg), strict=True)
            logger.info("the frozen initial encoder is %s", path)
        cut_above(self.model, layer)
        self.model.requires_grad_(False).eval()

    @torch.no_grad()
    def __call__(self, tokens: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """States (B, T, D) of tokens (B, T), on the device and in the type of ``like``."""
        self.model.to(device=like.device, dtype=like.dtype)
        return self.model(tokens, features_only=True)[0]


def add_anchor(
    terms: Terms, cfg: AnchorConfig, states: torch.Tensor, initial: torch.Tensor, sample: Any
) -> None:
    """Adds the term ``anchor`` of the target points of a batch.

    Args:
        terms: of the batch.
        cfg: the reduction.
        states, initial: (P, N, D) of the points.
        sample: the batch, with its ``points``.
    """
    points = sample["points"]
    losses = anchoring_loss(states, initial).masked_fill(~points["target_mask"], 0.0)
    if cfg.anchor_reduction == "sum":
        # A problem's sum, as often as the problem's cost counts.
        pairs = sample["nsentences"]
        terms.add("anchor", losses.sum(dim=1) * (pairs / losses.size(0)), pairs)
    else:
        dim = states.size(-1) if cfg.anchor_reduction == "mse" else 1
        terms.add("anchor", losses / dim, points["targets"])


def normalized_by(cfg: AnchorConfig) -> Dict[str, str]:
    """The count that the term is divided by, as ``criterions.terms.Terms`` takes it."""
    return {} if cfg.anchor_reduction == "sum" else {"anchor": "points"}


def check(cfg: AnchorConfig) -> None:
    """Raises UserError if the checkpoint that is named does not exist."""
    path = _checkpoint(cfg)
    if path is not None and not PathManager.exists(path):
        raise UserError(f"the initial encoder {path} does not exist; see --anchor-checkpoint")


def _checkpoint(cfg: AnchorConfig) -> Optional[str]:
    if cfg.anchor_checkpoint:
        return str(cfg.anchor_checkpoint)
    if cfg.finetune_from_model and not str(cfg.finetune_from_model).startswith("${"):
        return str(cfg.finetune_from_model)
    restored = str(cfg.restore_file)
    # The default's name, which fairseq looks for in --save-dir, is where this very run continues.
    if restored.startswith("${") or os.path.basename(restored) == restored == "checkpoint_last.pt":
        return None
    return restored


def _weights(path: str, cfg: AnchorConfig) -> Dict[str, torch.Tensor]:
    try:
        state = checkpoint_utils.load_checkpoint_to_cpu(path)
        weights, trained = state["model"], state.get("cfg")
    except Exception:  # pickle, zip and key errors of all kinds, whose texts name no remedy
        raise UserError(f"the initial encoder {path} is no checkpoint of fairseq") from None
    if path == str(cfg.restore_file) and not cfg.anchor_checkpoint and _was_anchored(trained):
        raise UserError(
            f"--restore-file {path} was itself kept near an initial encoder: name that one by "
            "--anchor-checkpoint, or this one if the anchor is to be new"
        )
    return weights


def _was_anchored(cfg: Any) -> bool:
    criterion = (cfg or {}).get("criterion") or {}
    frozen = criterion.get("ot_target_states") == "frozen" and criterion.get("ot_weight")
    return bool(criterion.get("anchor_weight") or frozen)
