"""Exact optimal transport by POT's network simplex, problem by problem on the CPU."""

from __future__ import annotations

import numpy as np
import torch

from fairseq_amber.objectives.optimal_transport.sinkhorn import Transport, transported
from fairseq_amber.objectives.precision import at_least_fp32


def exact_transport(
    cost: torch.Tensor, source_weights: torch.Tensor, target_weights: torch.Tensor
) -> Transport:
    """Solves ``min_P <P, C>`` with marginals a and b, by ``ot.emd``.

    The plan is a constant in the gradient, which is exact wherever the plan is unique. The CPU
    computes the plan, and a GPU waits for it.

    Args:
        cost: (B, S, T) costs C.
        source_weights: (B, S) weights a, which sum to 1; 0 = padding.
        target_weights: (B, T) weights b, which sum to 1; 0 = padding.

    Returns:
        The plans and their costs; NaN where a cost is not a finite number.

    Raises:
        ImportError: POT is not installed.
    """
    import ot

    with torch.autocast(cost.device.type, enabled=False):
        cost = at_least_fp32(cost)
        costs, a, b = (
            tensor.detach().double().cpu().numpy()
            for tensor in (cost, source_weights, target_weights)
        )
        plans = np.zeros_like(costs)
        for plan, problem, row_weights, column_weights in zip(plans, costs, a, b):
            rows, columns = np.flatnonzero(row_weights), np.flatnonzero(column_weights)
            if len(rows) and len(columns):
                inside = np.ix_(rows, columns)
                if not np.isfinite(problem[inside]).all():
                    plan[inside] = np.nan
                    continue
                # Weights rounded to fp32 do not sum to the same on both sides in fp64.
                sides = [
                    w[points] / w[points].sum()
                    for w, points in ((row_weights, rows), (column_weights, columns))
                ]
                plan[inside] = ot.emd(*sides, np.ascontiguousarray(problem[inside]))
        return transported(torch.from_numpy(plans).to(cost), cost)
