"""Costs of moving a unit of mass from one state to another.

Shapes: B problems of at most S source and T target points, D dimensions. Costs are fp32, or fp64
where the states are. What lies in the padding is to be finite; what it holds changes nothing.
"""

from __future__ import annotations

from typing import Any

import torch


def cosine_cost(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """``1 - <x_i, y_j> / (|x_i| |y_j|)`` in [0, 2]: (B, S, D), (B, T, D) -> (B, S, T).

    A state of norm 0 is at cost 1 from all others and has no gradient.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _Cosine.apply(_precise(x), _precise(y))


def squared_euclidean_cost(x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """``|x_i - y_j|^2 / m`` in [0, 1], where the constant m is the largest that is valid in the
    problem: (B, S, D), (B, T, D), (B, S, T) bool -> (B, S, T), 0 where not valid."""
    with torch.autocast(x.device.type, enabled=False):
        x, y = _precise(x), _precise(y)
        # Any common shift leaves the distances; near the points, their squares round off less.
        rows = valid.any(dim=2, keepdim=True)
        center = x.detach().masked_fill(~rows, 0).sum(dim=1, keepdim=True)
        center = center / rows.sum(dim=1, keepdim=True).clamp_min(1)
        x, y = x - center, y - center
        norms = x.square().sum(dim=2)[:, :, None] + y.square().sum(dim=2)[:, None, :]
        squares = torch.baddbmm(norms, x, y.transpose(1, 2), alpha=-2).clamp_min(0)
        squares = squares.masked_fill(~valid, 0)
        largest = squares.detach().amax(dim=(1, 2), keepdim=True)
        return squares / largest.clamp_min(torch.finfo(squares.dtype).tiny)


def position_cost(source_mask: torch.Tensor, target_mask: torch.Tensor) -> torch.Tensor:
    """``|i / S - j / T|``, the distance of relative positions that fast_align's prior has (Dyer et
    al. 2013, NAACL), counted at the middle of each point: (B, S), (B, T) bool -> (B, S, T)."""
    return (_places(source_mask)[:, :, None] - _places(target_mask)[:, None, :]).abs()


def _places(mask: torch.Tensor) -> torch.Tensor:
    """(B, N) in (0, 1)."""
    count = mask.sum(dim=1, keepdim=True).clamp_min(1)
    return (mask.cumsum(dim=1) - 0.5) / count


def _precise(states: torch.Tensor) -> torch.Tensor:
    return states if states.dtype == torch.float64 else states.float()


class _Cosine(torch.autograd.Function):
    """By the norms of the states, so that no normalised copy of them is made or kept."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        # A norm of 0 divides to 0 throughout.
        rows, columns = (states.norm(dim=2) for states in (x, y))
        rows, columns = (torch.where(n > 0, 1 / n, 0) for n in (rows, columns))
        similarity = torch.bmm(x, y.transpose(1, 2))
        similarity.mul_(rows.unsqueeze(2)).mul_(columns.unsqueeze(1))
        ctx.save_for_backward(x, y, rows, columns, similarity)
        return 1 - similarity

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y, rows, columns, similarity = ctx.saved_tensors
        along = gradient * similarity
        across = -gradient * rows.unsqueeze(2) * columns.unsqueeze(1)
        of_x = of_y = None
        if ctx.needs_input_grad[0]:
            of_x = x * (along.sum(dim=2) * rows.square()).unsqueeze(2)
            of_x.baddbmm_(across, y)
        if ctx.needs_input_grad[1]:
            of_y = y * (along.sum(dim=1) * columns.square()).unsqueeze(2)
            of_y.baddbmm_(across.transpose(1, 2), x)
        return of_x, of_y
