"""Gathers the rows of a tensor over the data-parallel ranks, with gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from fairseq.distributed import utils as distributed_utils


class _GatherRows(torch.autograd.Function):
    """Concatenates the (B, ...) rows of all W ranks of a group: (W * B, ...)."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group = group
        out = [torch.empty_like(rows) for _ in range(dist.get_world_size(group))]
        dist.all_gather(out, rows.contiguous(), group=group)
        return torch.cat(out)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        grad = grad.contiguous().clone()
        dist.all_reduce(grad, group=ctx.group)
        return grad.chunk(dist.get_world_size(ctx.group))[dist.get_rank(ctx.group)], None


def gather_rows(rows: torch.Tensor, height: int) -> tuple[torch.Tensor, int]:
    """Concatenates the rows of a tensor over the data-parallel ranks, with gradients.

    The gradient of a row is the sum of its gradients on all ranks. As fairseq sums the gradients of
    the parameters, the update equals that of the whole batch on one rank.

    Args:
        rows: (B, ...) on this rank; B may differ between ranks.
        height: the largest B of any rank, which all ranks know; shorter blocks are filled up with
            zeros.

    Returns:
        (world * height, ...) rows, and the index of this rank's first row. On one rank, the rows
        themselves and 0.
    """
    if not dist.is_initialized() or distributed_utils.get_data_parallel_world_size() == 1:
        return rows, 0
    padding = rows.new_zeros((height - rows.size(0), *rows.shape[1:]))
    group = distributed_utils.get_data_parallel_group()
    gathered = _GatherRows.apply(torch.cat([rows, padding]), group)
    return gathered, height * distributed_utils.get_data_parallel_rank()
