"""The frozen initial encoder, and the anchor: the term that keeps the trained encoder near it."""

# No postponed annotations here: fairseq reads the types of a config's fields at run time.
import copy
import logging
import os
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.file_io import PathManager
from omegaconf import II

from fairseq_amber.criterions.encoded_sentences import EncodedSentences, flat_states
from fairseq_amber.criterions.terms import Terms
from fairseq_amber.criterions.unread_parameters import cut_above
from fairseq_amber.errors import UserError, warn
from fairseq_amber.objectives.anchoring import anchoring_loss

logger = logging.getLogger(__name__)


@dataclass
class AnchorConfig(FairseqDataclass):
    """How the trained encoder is kept near the initial encoder."""

    anchor_weight: float = field(
        default=1.0,
        metadata={
            "help": "weight of the anchor: the squared distance between the states of target "
            "points and their states in the initial encoder; 0 = left out (arXiv 2110.02887: 1)"
        },
    )
    anchor_reduction: ChoiceEnum(["mean", "sum", "mse"]) = field(  # type: ignore[valid-type]
        default="mean",
        metadata={
            "help": "how the squared distances are reduced: mean over points; sum over the points "
            "of an OT problem, as arXiv 2110.02887 prints it, then mean over pairs; or mse, the "
            "mean over points and dimensions (Cao et al. 2020's code)"
        },
    )
    anchor_checkpoint: Optional[str] = field(
        default=None,
        metadata={
            "help": "checkpoint or pretrained folder of the initial encoder (default: what "
            "--from-pretrained, --finetune-from-model or --restore-file names; without one, the "
            "random weights that the run begins with)"
        },
    )
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    restore_file: str = II("checkpoint.restore_file")


class FrozenEncoder:
    """A copy of the model before training, up to the layer that is read.

    It is not an ``nn.Module``, so that it is neither optimised nor saved nor synchronised: a
    resumed run builds it again from the same checkpoint or seed. It computes in the data type of
    the trained model, so that without dropout both are equal to the bit before the first update.

    Args:
        task: has the model to train, and reads the model of ``--from-pretrained``.
        cfg: names the checkpoint of the initial encoder.
        layer: the number of the layer that is read, from 1.

    Raises:
        UserError: the checkpoint cannot be read or is of another architecture.
    """

    def __init__(self, task: Any, cfg: AnchorConfig, layer: int):
        self.layer = layer
        self.model = copy.deepcopy(task.model)
        path = _checkpoint(cfg)
        if path is None or os.path.isdir(path):
            weights = task.initial_weights(path)
        else:
            weights = _weights(path, cfg)
        if weights is None:
            warn(
                "no checkpoint is named by --from-pretrained, --finetune-from-model, "
                "--restore-file or --anchor-checkpoint: the model is kept near the random weights "
                "of its --seed"
            )
        else:
            self.model.load_state_dict(dict(weights), strict=True)
            logger.info("the frozen initial encoder is %s", path or task.pretrained.path)
        cut_above(self.model, layer)
        self.model.requires_grad_(False).eval()

    @torch.no_grad()
    def __call__(self, tokens: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """Encodes (B, T) tokens to (B, T, D) states, on the device and in the type of
        ``reference``."""
        self.model.to(device=reference.device, dtype=reference.dtype)
        return self.model(tokens, features_only=True)[0]

    def target_states(
        self, sentences: Sequence[EncodedSentences], sample: Dict[str, Any]
    ) -> torch.Tensor:
        """Encodes the target sentences of all blocks of pairs: (N, D), row after row.

        Args:
            sentences: the sentences of each block of pairs in the trained encoder.
            sample: the batch, whose blocks have ``target_rows``.
        """
        rows = [block["target_rows"] for block in sample["blocks"] if block["parallel"]]
        return flat_states(
            [
                self(block.tokens.index_select(0, chosen), reference=block.states)
                for block, chosen in zip(sentences, rows)
            ]
        )


def frozen_encoder(
    cfg: AnchorConfig, task: Any, layer: int, *, targets: bool = False
) -> Optional[FrozenEncoder]:
    """Returns the frozen initial encoder if a term reads it, and None otherwise.

    Args:
        cfg: the weight of the anchor, and the checkpoint of the initial encoder.
        task: the task, whose model is to be trained.
        layer: the number of the layer that is read, from 1.
        targets: another term takes its target states from the frozen encoder.

    Raises:
        UserError: the checkpoint does not exist, cannot be read or is of another architecture; or a
            setting of the anchor has no effect.
    """
    check_unused(cfg, frozen=targets)
    if not (cfg.anchor_weight or targets):
        return None
    check(cfg)
    return FrozenEncoder(task, cfg, layer)


def add_anchor(
    terms: Terms, cfg: AnchorConfig, states: torch.Tensor, initial: torch.Tensor, sample: Any
) -> None:
    """Adds the term ``anchor``, over the target points of a batch.

    Args:
        terms: the terms to add to.
        cfg: how the distances are reduced.
        states: (P, N, D) states of the target points in the trained encoder.
        initial: (P, N, D) their states in the initial encoder.
        sample: the batch, with its ``points``.
    """
    points = sample["points"]
    losses = anchoring_loss(states, initial).masked_fill(~points["target_mask"], 0.0)
    if cfg.anchor_reduction == "sum":
        # The sum of a problem counts once for each of its pairs, as the cost of the problem does.
        terms.add("anchor", losses.sum(dim=1) * points["problem_pairs"], sample["npairs"])
    else:
        dim = states.size(-1) if cfg.anchor_reduction == "mse" else 1
        terms.add("anchor", losses / dim, points["targets"])


def normalized_by(cfg: AnchorConfig) -> Dict[str, str]:
    """Returns the count that the anchor is divided by, as ``Terms`` takes it."""
    return {} if cfg.anchor_reduction == "sum" else {"anchor": "points"}


def check_unused(cfg: AnchorConfig, *, frozen: bool = False) -> None:
    """Raises UserError where a setting of the anchor is given although the anchor is left out.

    Args:
        cfg: the settings.
        frozen: another term reads the initial encoder.
    """
    if cfg.anchor_weight:
        return
    if cfg.anchor_reduction != "mean":
        raise UserError("--anchor-reduction has no effect without --anchor-weight: drop either")
    if cfg.anchor_checkpoint and not frozen:
        raise UserError("--anchor-checkpoint has no effect without --anchor-weight: drop either")


def check_of_points(cfg: AnchorConfig) -> None:
    """Raises UserError if the anchor is reduced over OT problems, which its criterion has not."""
    if cfg.anchor_reduction == "sum":
        raise UserError(
            "--anchor-reduction sum is over the points of an OT problem, which links are not: take "
            "mean or mse"
        )


def check(cfg: AnchorConfig) -> None:
    """Raises UserError if the checkpoint of the initial encoder does not exist."""
    path = _checkpoint(cfg)
    if path is not None and not PathManager.exists(path):
        raise UserError(f"the initial encoder {path} does not exist; see --anchor-checkpoint")


def _checkpoint(cfg: AnchorConfig) -> Optional[str]:
    """Returns the path of the checkpoint of the initial encoder; None if it is what the run begins
    with."""
    if cfg.anchor_checkpoint:
        return str(cfg.anchor_checkpoint)
    if cfg.finetune_from_model and not str(cfg.finetune_from_model).startswith("${"):
        return str(cfg.finetune_from_model)
    restored = str(cfg.restore_file)
    # By default --restore-file is the checkpoint in --save-dir from which this run itself resumes.
    if restored.startswith("${") or os.path.basename(restored) == restored == "checkpoint_last.pt":
        return None
    return restored


def _weights(path: str, cfg: AnchorConfig) -> Dict[str, torch.Tensor]:
    """Reads the weights of the initial encoder, by parameter name."""
    try:
        state = checkpoint_utils.load_checkpoint_to_cpu(path)
        weights, trained = state["model"], state.get("cfg")
    except Exception:  # pickle, zip and key errors of all kinds, whose texts name no remedy
        raise UserError(f"the initial encoder {path} is not a checkpoint of fairseq") from None
    if path == str(cfg.restore_file) and not cfg.anchor_checkpoint and _was_anchored(trained):
        raise UserError(
            f"--restore-file {path} was itself kept near an initial encoder: name that encoder by "
            "--anchor-checkpoint, or this checkpoint to hold the model near it instead"
        )
    return weights


def _was_anchored(cfg: Any) -> bool:
    """Returns whether a run with this config used a frozen initial encoder."""
    criterion = (cfg or {}).get("criterion") or {}
    frozen = [
        criterion.get(f"{term}_target_states") == "frozen" and criterion.get(f"{term}_weight")
        for term in ("ot", "l2")
    ]
    return bool(criterion.get("anchor_weight") or any(frozen))
