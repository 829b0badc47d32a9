"""Weights of points, which sum to 1 in each problem; 0 marks padding."""

from __future__ import annotations

import torch


def uniform_weights(mask: torch.Tensor) -> torch.Tensor:
    """(B, N) bool, True = counts -> (B, N) fp32, 1 over the number of points that count."""
    return _normalized(mask.float())


def norm_weights(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """In proportion to the Euclidean norm of each point's state (Arase et al. 2023, OTAlign), as a
    constant: (B, N, D), (B, N) bool -> (B, N) fp32."""
    return _normalized(states.detach().float().norm(dim=2) * mask)


def _normalized(weights: torch.Tensor) -> torch.Tensor:
    """A problem without weight keeps none."""
    return weights / weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
