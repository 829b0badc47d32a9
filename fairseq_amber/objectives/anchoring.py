"""The anchoring loss, which keeps a model near the one that training starts from.

Alqahtani et al. 2021 (arXiv 2110.02887), equation 2, after Cao et al. 2020 (arXiv 2002.03518),
equation 2: a distance between hidden states, not between parameters.
"""

from __future__ import annotations

import torch

from fairseq_amber.objectives.precision import at_least_fp32


def anchoring_loss(states: torch.Tensor, initial: torch.Tensor) -> torch.Tensor:
    """Computes ``|c_i - c0_i|_2^2``, the squared distance of each token's state from its initial
    state.

    Args:
        states: (..., D) states in the trained model.
        initial: (..., D) states of the same tokens in the initial model, as constants.

    Returns:
        (...) distances, in fp32 or, if either side is fp64, in fp64.
    """
    states, initial = at_least_fp32(states, initial.detach())
    return (states - initial).square().sum(dim=-1)
