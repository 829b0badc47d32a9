"""Masked language modelling and translation language modelling: one equation for both.

Devlin et al. 2019 (arXiv 1810.04805), section 3.1; for translated pairs Conneau & Lample 2019
(arXiv 1901.07291), section 3.3; together AMBER (arXiv 2010.07972), section 2.

Shapes: M predicted tokens, V vocabulary size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def masked_lm_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Computes the negative log-likelihood of the original tokens, in nats.

    ``loss[m] = -log softmax(logits[m])[targets[m]]``, always computed in fp32.

    Args:
        logits: (M, V) scores of the predicted tokens.
        targets: (M,) int64 original tokens.

    Returns:
        (M,) fp32 losses; empty, but differentiable, when M is 0.
    """
    return F.cross_entropy(logits.float(), targets, reduction="none")
