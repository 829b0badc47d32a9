"""Exact optimal transport against POT, problem by problem."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import exact_transport, sinkhorn
from transport_problems import compare, problems

ot = pytest.importorskip("ot", reason="POT is not installed")


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_exact_transport_equals_emd2_and_is_the_limit_of_low_temperature(scale):
    cost, a, b = problems()
    cost = cost * scale
    result = exact_transport(cost, a, b)
    compare(result, cost, a, b, lambda row, column, c: ot.emd(row, column, c), 1e-6, 1e-7)
    cold = sinkhorn(cost, a, b, epsilon=1e-3 * scale, iterations=3000)
    torch.testing.assert_close(cold.cost, result.cost, rtol=0.01, atol=0.003 * scale)


def test_exact_transport_of_costs_that_are_no_numbers_is_none():
    cost, a, b = problems()
    cost[1, 0, 0] = float("nan")
    result = exact_transport(cost, a, b)
    assert result.cost.isnan().tolist() == [i == 1 for i in range(8)]
