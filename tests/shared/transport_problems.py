"""Random problems of optimal transport, and their comparison with a solver of single problems."""

import numpy as np
import pytest
import torch

from fairseq_amber.objectives.optimal_transport import uniform_weights


def problems(batch=8, most=12, other=15, seed=0, uniform=False):
    """Costs in [0, 1] and weights, of ragged problems, some of one point, some weights 0 within."""
    generator = torch.Generator().manual_seed(seed)
    cost = torch.rand(batch, most, other, generator=generator)
    weights = []
    for size in (most, other):
        lengths = torch.randint(1, size + 1, (batch, 1), generator=generator)
        lengths[0], lengths[1] = 1, size
        mask = torch.arange(size) < lengths
        mask[1, 2] = False
        drawn = torch.rand(batch, size, generator=generator) + 0.1
        weights.append(uniform_weights(mask) if uniform else drawn * mask)
    return cost, *(w / w.sum(1, keepdim=True) for w in weights)


def alone(cost, a, b):
    """Each problem in fp64 without its padding."""
    for c, row, column in zip(cost.double().numpy(), a.double().numpy(), b.double().numpy()):
        rows, columns = row > 0, column > 0
        yield (
            row[rows] / row[rows].sum(),
            column[columns] / column[columns].sum(),
            np.ascontiguousarray(c[np.ix_(rows, columns)]),
            np.ix_(rows, columns),
        )


def compare(result, cost, a, b, solve, rtol, atol):
    scale = float(cost.abs().max())
    for i, (row, column, c, inside) in enumerate(alone(cost, a, b)):
        plan = solve(row, column, c)
        assert float(result.cost[i]) == pytest.approx((plan * c).sum(), rel=rtol, abs=rtol * scale)
        full = np.zeros(cost.shape[1:])
        full[inside] = plan
        np.testing.assert_allclose(result.plan[i].numpy(), full, atol=atol)


def states(*shape, seed=0):
    """Random states in fp64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def ragged(batch, most, other, dim, scale, seed=0):
    """Points in fp64 with random weights, of 1 to so many points; one problem of one point each,
    one of a sentence and itself."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, y = scale * rand(batch, most, dim), scale * (rand(batch, other, dim) + 0.3)
    masks = []
    for size in (most, other):
        lengths = torch.randint(1, size + 1, (batch, 1), generator=generator)
        lengths[0], lengths[1] = 1, min(most, other)
        masks.append(torch.arange(size) < lengths)
    y[1, : min(most, other)] = x[1, : min(most, other)]
    weights = [rand(*mask.shape).abs() * mask for mask in masks]
    weights = [w / w.sum(1, keepdim=True) for w in weights]
    weights[0][1], weights[1][1] = (uniform_weights(mask)[1].double() for mask in masks)
    return x, y, *weights
