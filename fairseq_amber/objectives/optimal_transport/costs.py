"""Costs of moving a unit of mass from one state to another.

Shapes: B problems of at most S source and T target points, D dimensions. Costs are fp32, or fp64
where the states are. What lies in the padding is to be finite; what it holds changes nothing.
"""

from __future__ import annotations

from typing import Any, List, Tuple

import torch


def cosine_cost(
    x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor | None = None
) -> torch.Tensor:
    """``1 - <x_i, y_j> / (|x_i| |y_j|)`` in [0, 2]: (B, S, D), (B, T, D) -> (B, S, T).

    A state of norm 0 is at cost 1 from all others and has no gradient. With ``valid``, (B, S, T)
    bool, a CPU leaves out what lies beyond the last valid point of a problem: it is at cost 1.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _Cosine.apply(_precise(x), _precise(y), _blocks(x, y, valid))


def squared_euclidean_cost(x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """``|x_i - y_j|^2 / m`` in [0, 1], where the constant m is the largest squared distance or
    squared norm of what is valid in the problem: (B, S, D), (B, T, D), (B, S, T) bool ->
    (B, S, T), 0 where not valid. The norms keep the gradient bounded where all points are close."""
    with torch.autocast(x.device.type, enabled=False):
        x, y = _precise(x), _precise(y)
        inside = valid.any(dim=2, keepdim=True), valid.any(dim=1).unsqueeze(2)
        kept = [z.detach().masked_fill(~mask, 0) for z, mask in zip((x, y), inside)]
        sizes = [z.square().sum(dim=2).amax(dim=1) for z in kept]
        # Any common shift leaves the distances; near the points, their squares round off less.
        center = kept[0].sum(dim=1, keepdim=True) / inside[0].sum(dim=1, keepdim=True).clamp_min(1)
        x, y = x - center, y - center
        norms = x.square().sum(dim=2)[:, :, None] + y.square().sum(dim=2)[:, None, :]
        squares = torch.baddbmm(norms, x, y.transpose(1, 2), alpha=-2).clamp_min(0)
        squares = squares.masked_fill(~valid, 0)
        largest = torch.stack([squares.detach().amax(dim=(1, 2)), *sizes]).amax(dim=0)
        return squares / largest.clamp_min(torch.finfo(squares.dtype).tiny)[:, None, None]


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


Blocks = List[Tuple[slice, int, int]]


def _blocks(x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor | None) -> Blocks:
    """What to compute: of some problems, so many rows and columns."""
    if valid is None or valid.device.type != "cpu":
        return [(slice(None), x.size(1), y.size(1))]
    sizes = [
        (mask * torch.arange(1, mask.size(1) + 1)).amax(dim=1).tolist()
        for mask in (valid.any(dim=2), valid.any(dim=1))
    ]
    return [(slice(i, i + 1), n, m) for i, (n, m) in enumerate(zip(*sizes))]


class _Cosine(torch.autograd.Function):
    """By the norms of the states, so that no normalised copy of them is made or kept."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor, blocks: Blocks) -> torch.Tensor:
        # A norm of 0 divides to 0 throughout.
        rows, columns = (states.norm(dim=2) for states in (x, y))
        rows, columns = (torch.where(n > 0, 1 / n, 0) for n in (rows, columns))
        similarity = x.new_zeros(x.size(0), x.size(1), y.size(1))
        for at, n, m in blocks:
            similarity[at, :n, :m].baddbmm_(x[at, :n], y[at, :m].transpose(1, 2))
        similarity.mul_(rows.unsqueeze(2)).mul_(columns.unsqueeze(1))
        ctx.save_for_backward(x, y, rows, columns, similarity)
        ctx.blocks = blocks
        return 1 - similarity

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y, rows, columns, similarity = ctx.saved_tensors
        along = gradient * similarity
        across = -gradient * rows.unsqueeze(2) * columns.unsqueeze(1)
        of_x = of_y = None
        if ctx.needs_input_grad[0]:
            along_x = (along.sum(dim=2) * rows.square()).unsqueeze(2)
            of_x = torch.zeros_like(x)
            for at, n, m in ctx.blocks:
                block = torch.mul(x[at, :n], along_x[at, :n], out=of_x[at, :n])
                block.baddbmm_(across[at, :n, :m], y[at, :m])
        if ctx.needs_input_grad[1]:
            along_y = (along.sum(dim=1) * columns.square()).unsqueeze(2)
            of_y = torch.zeros_like(y)
            for at, n, m in ctx.blocks:
                block = torch.mul(y[at, :m], along_y[at, :m], out=of_y[at, :m])
                block.baddbmm_(across[at, :n, :m].transpose(1, 2), x[at, :n])
        return of_x, of_y, None
