"""Masked language modelling and translation language modelling: one equation for both.

Devlin et al. 2019 (arXiv 1810.04805), section 3.1; for translated pairs Conneau & Lample 2019
(arXiv 1901.07291), section 3.3; together AMBER (arXiv 2010.07972), section 2.

Shapes: M predicted tokens, V vocabulary size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fairseq_amber.objectives.precision import at_least_fp32


def masked_lm_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Computes the negative log-likelihood of the original tokens, in nats.

    ``loss[m] = -log softmax(logits[m])[targets[m]]``.

    Args:
        logits: (M, V) scores of the predicted tokens.
        targets: (M,) int64 original tokens.

    Returns:
        (M,) losses, in fp32 or, if ``logits`` are fp64, in fp64; empty, but differentiable, when M
        is 0.
    """
    return F.cross_entropy(at_least_fp32(logits), targets, reduction="none")
