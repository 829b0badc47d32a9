"""The costs of optimal transport against their definitions."""

import pytest
import torch
import torch.nn.functional as F

from fairseq_amber.objectives.optimal_transport import (
    cosine_cost,
    position_cost,
    squared_euclidean_cost,
)
from transport_problems import states


def test_cosine_cost_equals_that_of_normalised_states_in_value_and_gradient():
    upstream = states(3, 5, 7, seed=9)
    results = []
    for function in (
        cosine_cost,
        lambda x, y: 1 - F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).transpose(1, 2),
    ):
        x, y = states(3, 5, 8).requires_grad_(), states(3, 7, 8, seed=1).requires_grad_()
        value = function(x, y)
        (value * upstream).sum().backward()
        results.append((value, x.grad, y.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


def test_cosine_cost_passes_numerical_differentiation():
    x, y = states(2, 3, 4).requires_grad_(), states(2, 2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(cosine_cost, (x, y))
    assert torch.autograd.gradcheck(lambda u: cosine_cost(u, y.detach()), (x,))


def test_what_is_not_valid_is_left_out_of_the_cosine_cost_and_of_its_gradient():
    valid = torch.zeros(3, 5, 7, dtype=torch.bool)
    sizes = [(5, 7), (2, 3), (1, 1)]
    for mask, (n, m) in zip(valid, sizes):
        mask[:n, :m] = True
    valid[0, 2], valid[0, :, 3] = False, False  # a weight of 0 amid the others
    upstream = states(3, 5, 7, seed=9) * valid
    results = []
    for more in ((), (valid,)):
        x, y = states(3, 5, 8).requires_grad_(), states(3, 7, 8, seed=1).requires_grad_()
        cost = cosine_cost(x, y, *more)
        (cost * upstream).sum().backward()
        results.append((cost * valid, x.grad, y.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


def test_a_state_of_zero_is_at_cost_one_and_has_no_gradient():
    x, y = states(1, 3, 4).float(), states(1, 2, 4).float()
    x[0, 1] = 0
    x.requires_grad_()
    cost = cosine_cost(x, y)
    cost.sum().backward()
    assert cost[0, 1].tolist() == [1, 1]
    assert not x.grad[0, 1].any() and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("function", [cosine_cost, squared_euclidean_cost])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(function, dtype):
    x, y = states(2, 3, 16).to(dtype).requires_grad_(), states(2, 4, 16, seed=1).to(dtype)
    more = () if function is cosine_cost else (torch.ones(2, 3, 4, dtype=torch.bool),)
    with torch.autocast("cpu", torch.bfloat16):
        cost = function(x, y, *more)
    assert cost.dtype == torch.float32
    torch.testing.assert_close(cost, function(x.detach().float(), y.float(), *more))
    cost.sum().backward()
    assert x.grad.dtype == dtype and torch.isfinite(x.grad).all()


def test_squared_euclidean_cost_is_over_the_largest_valid_distance_of_the_problem():
    x, y = states(3, 5, 8), 0.1 * states(3, 7, 8, seed=1)
    y -= x.mean(1, keepdim=True)
    valid = torch.ones(3, 5, 7, dtype=torch.bool)
    valid[1, 3:], valid[1, :, 4:] = False, False
    x[1, 3:] = 1e6
    cost = squared_euclidean_cost(x, y, valid)
    distances = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()
    distances = distances.masked_fill(~valid, 0)
    inside = [x[:1], y[:1]], [x[1:2, :3], y[1:2, :4]], [x[2:], y[2:]]
    norms = [max(z.square().sum(2).max() for z in both) for both in inside]
    largest = torch.maximum(distances.amax((1, 2)), torch.stack(norms))
    torch.testing.assert_close(cost, distances / largest[:, None, None])
    assert cost.max() == pytest.approx(1)


def test_points_that_are_close_are_compared_with_their_norms():
    """Otherwise a word and its translation would have cost 1 however close they are."""
    x = 3 + 0.01 * states(1, 2, 8)
    y = (3 + 0.01 * states(1, 2, 8, seed=1)).requires_grad_()
    cost = squared_euclidean_cost(x, y, torch.ones(1, 2, 2, dtype=torch.bool))
    largest = max(x.square().sum(2).max().item(), y.detach().square().sum(2).max().item())
    torch.testing.assert_close(cost, (x.unsqueeze(2) - y.unsqueeze(1)).square().sum(-1) / largest)
    cost.sum().backward()
    assert y.grad.norm() < 0.1


def test_squared_euclidean_cost_holds_its_divisor_constant():
    x, y = states(2, 3, 4).requires_grad_(), states(2, 2, 4, seed=1)
    valid = torch.ones(2, 3, 2, dtype=torch.bool)
    squared_euclidean_cost(x, y, valid).sum().backward()
    distances = (x.detach().unsqueeze(2) - y.unsqueeze(1)).square().sum(-1)
    expected = 2 * (x.detach().unsqueeze(2) - y.unsqueeze(1)).sum(2)
    sizes = [z.detach().square().sum(2).amax(1) for z in (x, y)]
    largest = torch.stack([distances.amax((1, 2)), *sizes]).amax(0)
    torch.testing.assert_close(x.grad, expected / largest[:, None, None])


def test_identical_points_have_cost_zero_and_a_finite_gradient():
    x = torch.ones(1, 3, 4, requires_grad=True)
    cost = squared_euclidean_cost(x, torch.ones(1, 2, 4), torch.ones(1, 3, 2, dtype=torch.bool))
    cost.sum().backward()
    assert not cost.any() and torch.isfinite(x.grad).all()


def test_position_cost_compares_relative_places():
    source = torch.tensor([[True, True, True, True], [True, True, False, False]])
    target = torch.tensor([[True, True], [True, False]])
    cost = position_cost(source, target)
    for b, (s, t) in enumerate([(4, 2), (2, 1)]):
        for i in range(s):
            for j in range(t):
                wanted = abs((i + 0.5) / s - (j + 0.5) / t)
                assert cost[b, i, j].item() == pytest.approx(wanted)
    same = position_cost(source, source)[0]
    assert not same.diagonal().any()
