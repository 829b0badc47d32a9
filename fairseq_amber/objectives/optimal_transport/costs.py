"""Costs of moving a unit of mass from one state to another, for ``sinkhorn`` and exact transport.

The divergence, which is the default of training, computes its own costs, ``|x - y|^p / p`` as
GeomLoss has them, in ``divergence_solver``.

Shapes: B problems of at most S source and T target points, D dimensions. Costs are fp32, or fp64
where the states are. Padding has to be finite, but its values change nothing.
"""

from __future__ import annotations

from typing import Any, List, Tuple

import torch

from fairseq_amber.objectives.precision import at_least_fp32


def cosine_cost(
    x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor | None = None
) -> torch.Tensor:
    """Computes the cosine distance ``1 - <x_i, y_j> / (|x_i| |y_j|)``, in [0, 2].

    A state of norm 0 has cost 1 to every other state, and no gradient.

    Args:
        x: (B, S, D) source states.
        y: (B, T, D) target states.
        valid: (B, S, T) bool, True where both points count. With it, a CPU does not compute the
            costs beyond the last valid point of a problem; they are 1.

    Returns:
        (B, S, T) costs.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _Cosine.apply(*at_least_fp32(x, y), _blocks(x, y, valid))


def squared_euclidean_cost(x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Computes the scaled squared Euclidean distance ``|x_i - y_j|^2 / m``, in [0, 1].

    The constant m is the largest squared distance or squared norm of the valid points of a problem;
    it is a constant in the gradient too.
    The norms keep the gradient bounded where all points are close to each other.

    Args:
        x: (B, S, D) source states.
        y: (B, T, D) target states.
        valid: (B, S, T) bool, True where both points count.

    Returns:
        (B, S, T) costs; 0 where a point does not count.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, y = at_least_fp32(x, y)
        inside = valid.any(dim=2, keepdim=True), valid.any(dim=1).unsqueeze(2)
        kept = [z.detach().masked_fill(~mask, 0) for z, mask in zip((x, y), inside)]
        sizes = [z.square().sum(dim=2).amax(dim=1) for z in kept]
        # A common shift changes no distance, and squares round off less near the origin.
        center = kept[0].sum(dim=1, keepdim=True) / inside[0].sum(dim=1, keepdim=True).clamp_min(1)
        x, y = x - center, y - center
        norms = x.square().sum(dim=2)[:, :, None] + y.square().sum(dim=2)[:, None, :]
        squares = torch.baddbmm(norms, x, y.transpose(1, 2), alpha=-2).clamp_min(0)
        squares = squares.masked_fill(~valid, 0)
        largest = torch.stack([squares.detach().amax(dim=(1, 2)), *sizes]).amax(dim=0)
        return squares / largest.clamp_min(torch.finfo(squares.dtype).tiny)[:, None, None]


def position_cost(
    source_mask: torch.Tensor, target_mask: torch.Tensor, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Computes the distance ``|i / S - j / T|`` between the relative positions of the points'
    middles.

    This is the distance in the prior of fast_align (Dyer et al. 2013, NAACL).

    Args:
        source_mask: (B, S) bool, True where a source point counts.
        target_mask: (B, T) bool, True where a target point counts.
        dtype: the data type of the costs.

    Returns:
        (B, S, T) costs.
    """
    source, target = _places(source_mask, dtype), _places(target_mask, dtype)
    return (source[:, :, None] - target[:, None, :]).abs()


def _places(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Computes the relative positions of points: (B, N) bool -> (B, N) in (0, 1)."""
    count = mask.sum(dim=1, keepdim=True).clamp_min(1)
    return (mask.cumsum(dim=1).to(dtype) - 0.5) / count


Blocks = List[Tuple[slice, int, int]]


def _blocks(x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor | None) -> Blocks:
    """Returns the blocks to compute: for each, the slice of the problems, and the numbers of rows
    and columns."""
    if valid is None or valid.device.type != "cpu":
        return [(slice(None), x.size(1), y.size(1))]
    sizes = [
        (mask * torch.arange(1, mask.size(1) + 1)).amax(dim=1).tolist()
        for mask in (valid.any(dim=2), valid.any(dim=1))
    ]
    return [(slice(i, i + 1), n, m) for i, (n, m) in enumerate(zip(*sizes))]


class _Cosine(torch.autograd.Function):
    """The cosine distance: (B, S, D), (B, T, D) -> (B, S, T). It divides by the norms of the states
    and keeps no normalised copy of them."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor, blocks: Blocks) -> torch.Tensor:
        # Where a norm is 0, its inverse is taken as 0.
        rows, columns = (states.norm(dim=2) for states in (x, y))
        rows, columns = (torch.where(n > 0, 1 / n, 0) for n in (rows, columns))
        similarity = x.new_zeros(x.size(0), x.size(1), y.size(1))
        for problems, n, m in blocks:
            similarity[problems, :n, :m].baddbmm_(x[problems, :n], y[problems, :m].transpose(1, 2))
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
        x_gradient = y_gradient = None
        if ctx.needs_input_grad[0]:
            along_x = (along.sum(dim=2) * rows.square()).unsqueeze(2)
            x_gradient = torch.zeros_like(x)
            for problems, n, m in ctx.blocks:
                block = torch.mul(
                    x[problems, :n], along_x[problems, :n], out=x_gradient[problems, :n]
                )
                block.baddbmm_(across[problems, :n, :m], y[problems, :m])
        if ctx.needs_input_grad[1]:
            along_y = (along.sum(dim=1) * columns.square()).unsqueeze(2)
            y_gradient = torch.zeros_like(y)
            for problems, n, m in ctx.blocks:
                block = torch.mul(
                    y[problems, :m], along_y[problems, :m], out=y_gradient[problems, :m]
                )
                block.baddbmm_(across[problems, :n, :m].transpose(1, 2), x[problems, :n])
        return x_gradient, y_gradient, None
