"""The solver of the Sinkhorn divergence, which takes all problems of a batch at once."""

import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn_divergence
from fairseq_amber.objectives.optimal_transport.divergence_solver import Settings, solve
from transport_problems import ragged

SETTINGS = dict(p=2, blur=0.05, scaling=0.5, debias=True)


def test_all_problems_at_once_equal_a_few_of_one_size_at_a_time():
    tensors = ragged(20, 9, 12, 5, 0.5)
    solved = solve(*tensors, Settings(**SETTINGS, differentiate=True))
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    values = sinkhorn_divergence(*leaves, **SETTINGS)
    values.sum().backward()
    torch.testing.assert_close(solved.value, values.detach())
    for gradient, leaf in zip(solved[1:], leaves):
        torch.testing.assert_close(gradient, leaf.grad, rtol=1e-9, atol=1e-11)


def test_points_without_a_gradient_change_no_value():
    tensors = ragged(3, 9, 12, 5, 0.5)
    with_gradient = solve(*tensors, Settings(**SETTINGS, differentiate=True))
    without = solve(*tensors, Settings(**SETTINGS, differentiate=False))
    assert without.x_gradient is without.y_gradient is None
    assert torch.equal(without.value, with_gradient.value)
    assert torch.equal(without.x_weights_gradient, with_gradient.x_weights_gradient)
