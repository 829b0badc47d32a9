"""A model in training, with its optimiser.

The optimiser is fairseq's Adam; in bf16 it is wrapped by fairseq, with fp32 copies of all weights,
as in ``fairseq-train --bf16``.
"""

from __future__ import annotations

from typing import Any

import torch
from fairseq import optim
from fairseq.optim.fp16_optimizer import FP16Optimizer
from omegaconf import OmegaConf
from stopwatch import Parts

CLIP_NORM = 1.0


class Trainee:
    """A model in training, with its optimiser.

    Args:
        model: the model, on its device.
        precision: ``bf16``, or ``fp32``, which is fairseq's default, without TF32.
    """

    def __init__(self, model: torch.nn.Module, precision: str):
        half = precision == "bf16"
        self.model = (model.bfloat16() if half else model).train()
        cfg = OmegaConf.create(
            {
                "common": {"bf16": half, "fp16_scale_window": 1, "tpu": False},
                "optimization": {"lr": [1e-5], "update_freq": [1]},
                "optimizer": {
                    "_name": "adam",
                    "adam_betas": "(0.9, 0.98)",
                    "adam_eps": 1e-6,
                    "weight_decay": 0.01,
                    "use_old_adam": False,
                    "fp16_adam_stats": False,
                    "tpu": False,
                    "lr": [1e-5],
                },
            }
        )
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = (
            FP16Optimizer.build_optimizer(cfg, weights)
            if half
            else optim.build_optimizer(cfg.optimizer, weights)
        )

    def bytes(self) -> int:
        """Bytes of the weights, their copies and the optimiser's state, after the first step."""
        weights = list(self.model.parameters())
        if isinstance(self.optimizer, FP16Optimizer):
            copies = self.optimizer.fp32_params
            weights += [*copies, *(copy.grad for copy in copies if copy.grad is not None)]
        for state in self.optimizer.optimizer.state.values():
            weights += [value for value in state.values() if torch.is_tensor(value)]
        return sum(weight.numel() * weight.element_size() for weight in weights)

    def step(self, criterion: Any, sample: dict[str, Any], parts: Parts | None = None) -> None:
        """One update, as fairseq's trainer makes it."""
        mark = parts.mark if parts else lambda part="": None
        mark()
        self.optimizer.zero_grad()
        mark("optimiser")
        loss, size, _ = criterion(self.model, sample)
        mark("losses")
        self.optimizer.backward(loss)
        mark("backward: encoder")
        self.optimizer.multiply_grads(1 / size)
        self.optimizer.clip_grad_norm(CLIP_NORM)
        self.optimizer.step()
        mark("optimiser")
