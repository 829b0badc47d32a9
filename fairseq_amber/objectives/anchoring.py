"""Stay near the model that training starts from.

Alqahtani et al. 2021 (arXiv 2110.02887), equation 2, after Cao et al. 2020 (arXiv 2002.03518),
equation 2: a distance of hidden states, not of parameters.
"""

from __future__ import annotations

import torch


def anchoring_loss(states: torch.Tensor, initial: torch.Tensor) -> torch.Tensor:
    """``|c_i - c0_i|_2^2`` of N tokens: (..., D) states of the model that is trained and of the one
    that it was -> (...) in fp32, or fp64 if ``states`` are. ``initial`` is a constant."""
    states = states if states.dtype == torch.float64 else states.float()
    return (states - initial.detach().to(states)).square().sum(dim=-1)
