"""The weights of points against closed forms."""

import torch

from fairseq_amber.objectives.optimal_transport import norm_weights, uniform_weights


def test_weights_sum_to_one_over_what_counts():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert uniform_weights(mask).tolist() == [[0.5, 0.5, 0], [0, 0, 0]]
    x = torch.tensor([[[3.0, 4.0], [0.0, 15.0], [9.0, 9.0]]] * 2, requires_grad=True)
    weights = norm_weights(x, mask)
    assert weights.tolist() == [[0.25, 0.75, 0], [0, 0, 0]]
    assert not weights.requires_grad


def test_weights_keep_double_precision():
    mask = torch.tensor([[True, True, True]])
    assert uniform_weights(mask, torch.float64).tolist() == [[1 / 3] * 3]
    assert norm_weights(torch.ones(1, 3, 2, dtype=torch.float64), mask).tolist() == [[1 / 3] * 3]
