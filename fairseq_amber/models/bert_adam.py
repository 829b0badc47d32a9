"""The optimizer ``bert_adam``: Adam whose weight decay leaves layer norms and biases out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

import torch
from fairseq.optim import register_optimizer
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig

from fairseq_amber.errors import UserError, exit_clearly


@dataclass
class BertAdamConfig(FairseqAdamConfig):
    """The flags of fairseq's ``adam``."""


def decay_groups(parameters: Iterable[torch.Tensor]) -> list[dict[str, Any]]:
    """Splits parameters into two groups of a torch optimizer.

    Returns:
        The matrices: embedding tables, and the weights of linear layers. Then, with a weight decay
        of 0, the parameters of fewer dimensions: the gains and biases of layer norms, and the
        biases of linear layers. A group may be empty.
    """
    groups: tuple[list, list] = ([], [])
    for parameter in parameters:
        groups[parameter.dim() < 2].append(parameter)
    return [{"params": groups[0]}, {"params": groups[1], "weight_decay": 0.0}]


@register_optimizer("bert_adam", dataclass=BertAdamConfig)
class BertAdam(FairseqAdam):
    """fairseq's Adam, with decoupled weight decay on matrices alone.

    BERT leaves layer norms and biases out of the decay (Devlin et al. 2019, ``optimization.py`` of
    google-research/bert), and so does XTREME's fine-tuning. fairseq's ``adam`` decays everything.

    Under ``--fp16`` fairseq by default copies all parameters into one vector, in which matrices and
    biases cannot be told apart; it takes one copy of each with ``--fp16-no-flatten-grads``.

    Raises:
        UserError: the parameters come as one vector.
    """

    @exit_clearly
    def __init__(self, cfg: Any, params: Iterable[torch.Tensor]):
        params = list(params)
        if len(params) == 1 and params[0].dim() == 1:
            raise UserError(
                "--optimizer bert_adam tells matrices from biases, which --fp16 copies into one "
                "vector: add --fp16-no-flatten-grads"
            )
        super().__init__(cfg, decay_groups(params))

    @property
    def supports_flat_params(self) -> bool:
        """False, because the decay of a parameter depends on its shape."""
        return False

    @exit_clearly
    def load_state_dict(
        self, state_dict: dict[str, Any], optimizer_overrides: dict[str, Any] | None = None
    ) -> None:
        """Takes the state from a checkpoint; an override of the weight decay changes that of the
        matrices.

        Raises:
            UserError: the state is that of an optimizer with other groups.
        """
        if len(state_dict["param_groups"]) != len(self.param_groups):
            raise UserError(
                "the checkpoint's optimizer is not bert_adam: continue with its --optimizer, or "
                "start a new one with --reset-optimizer"
            )
        super().load_state_dict(state_dict, optimizer_overrides)
        self.param_groups[1]["weight_decay"] = 0.0
