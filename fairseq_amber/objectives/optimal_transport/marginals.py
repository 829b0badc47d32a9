"""The weights of points: they sum to 1 in each problem, and 0 marks padding."""

from __future__ import annotations

import torch

from fairseq_amber.objectives.precision import at_least_fp32


def uniform_weights(mask: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Gives equal weights to the points that count: (B, N) bool -> (B, N) in ``dtype``."""
    return _normalized(mask.to(dtype))


def norm_weights(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Gives each point a weight proportional to the Euclidean norm of its state.

    This is the choice of OTAlign (Arase et al. 2023). The weights are constants in the gradient.

    Args:
        states: (B, N, D) states of the points.
        mask: (B, N) bool, True where a point counts.

    Returns:
        (B, N) weights, in fp32 or, if ``states`` are fp64, in fp64.
    """
    return _normalized(at_least_fp32(states.detach()).norm(dim=2) * mask)


def _normalized(weights: torch.Tensor) -> torch.Tensor:
    """Divides (B, N) weights by the sum of each problem; a problem without weight stays at 0."""
    return weights / weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
