"""Batched Sinkhorn iterations against POT, problem by problem."""

import numpy as np
import pytest
import torch

from fairseq_amber.objectives.optimal_transport import cosine_cost, sinkhorn
from transport_problems import compare, problems

ot = pytest.importorskip("ot", reason="POT is not installed")


@pytest.mark.parametrize(
    "scale, epsilon",
    [(1.0, 0.1), (1.0, 1.0), (1e-6, 1e-7), (1e-6, 0.1), (1e6, 1e5), (1.0, 0.01), (100.0, 1.0)],
)
def test_balanced_equals_pot(scale, epsilon):
    cost, a, b = problems()
    cost = cost * scale
    result = sinkhorn(cost, a, b, epsilon=epsilon, iterations=2000)

    def solve(row, column, c):
        return ot.sinkhorn(
            row, column, c, epsilon, method="sinkhorn_log", numItermax=5000, stopThr=1e-10
        )

    compare(result, cost, a, b, solve, 1e-5, 1e-6)


def test_as_many_iterations_give_what_pot_has_after_as_many():
    cost, a, b = problems(uniform=True)
    result = sinkhorn(cost, a, b, epsilon=0.05, iterations=5)

    def solve(row, column, c):
        return ot.sinkhorn(
            row, column, c, 0.05, method="sinkhorn_log", numItermax=5, stopThr=0, warn=False
        )

    compare(result, cost, a, b, solve, 1e-5, 1e-6)


@pytest.mark.parametrize("epsilon, reach", [(0.1, 0.5), (0.1, 10.0), (0.02, 0.05)])
def test_unbalanced_equals_pot(epsilon, reach):
    cost, a, b = problems()
    result = sinkhorn(cost, a, b, epsilon=epsilon, reach=reach, iterations=2000)

    def solve(row, column, c):
        return ot.unbalanced.sinkhorn_unbalanced(
            row, column, c, epsilon, reach, reg_type="kl", numItermax=5000, stopThr=1e-12
        )

    compare(result, cost, a, b, solve, 1e-5, 1e-6)
    assert (result.plan.sum((1, 2)) < 1).all()


@pytest.mark.parametrize("mass", [0.2, 0.7, 1.0])
def test_partial_equals_pot(mass):
    cost, a, b = problems()
    result = sinkhorn(cost, a, b, epsilon=0.1, mass=mass, iterations=2000)

    def solve(row, column, c):
        # Its entropy is relative to 1, ours to a x b.
        shifted = c - 0.1 * np.log(np.outer(row, column))
        return ot.partial.entropic_partial_wasserstein(
            row, column, shifted, 0.1, m=mass * (1 - 1e-9), numItermax=5000, stopThr=1e-12
        )

    compare(result, cost, a, b, solve, 1e-4, 1e-5)
    torch.testing.assert_close(result.plan.sum((1, 2)), torch.full((8,), mass))
    assert (result.plan.sum(2) <= a + 1e-5).all() and (result.plan.sum(1) <= b + 1e-5).all()


@pytest.mark.parametrize("settings", [dict(), dict(reach=0.5), dict(mass=0.6)], ids=str)
def test_the_envelope_gradient_is_that_of_the_minimised_objective(settings):
    cost, a, b = (tensor[2:5].double() for tensor in problems())
    epsilon = 0.2

    def divergence(p, q):
        """KL between measures of any mass."""
        return (torch.xlogy(p, p / q.clamp_min(1e-300)) - p + q).sum()

    def objective(cost):
        plan = sinkhorn(cost, a, b, epsilon=epsilon, iterations=3000, **settings).plan
        product = a.unsqueeze(2) * b.unsqueeze(1)
        value = (plan * cost).sum() + epsilon * divergence(plan, product)
        if "reach" in settings:
            value = value + settings["reach"] * divergence(plan.sum(2), a)
            value = value + settings["reach"] * divergence(plan.sum(1), b)
        return value

    leaf = cost.clone().requires_grad_()
    sinkhorn(leaf, a, b, epsilon=epsilon, iterations=3000, **settings).cost.sum().backward()
    for place in [(0, 0, 0), (1, 0, 0), (2, 0, 1)]:
        step = torch.zeros_like(cost)
        step[place] = 1e-5
        slope = (objective(cost + step) - objective(cost - step)) / 2e-5
        assert slope.item() == pytest.approx(leaf.grad[place].item(), abs=1e-6)


@pytest.mark.parametrize("settings", [dict(), dict(reach=0.5), dict(mass=0.6)], ids=str)
def test_the_unrolled_gradient_is_that_of_the_cost_itself(settings):
    cost, a, b = (tensor[2:5].double() for tensor in problems())

    def value(cost):
        return sinkhorn(
            cost, a, b, epsilon=0.2, iterations=7, gradient="unrolled", **settings
        ).cost.sum()

    leaf = cost.clone().requires_grad_()
    value(leaf).backward()
    for place in [(0, 0, 0), (1, 0, 0), (2, 0, 1)]:
        step = torch.zeros_like(cost)
        step[place] = 1e-6
        slope = (value(cost + step) - value(cost - step)) / 2e-6
        assert slope.item() == pytest.approx(leaf.grad[place].item(), abs=1e-6)


def test_unrolled_equals_pot_differentiated_through_its_iterations():
    cost, a, b = problems(uniform=True)
    leaf = cost.clone().requires_grad_()
    result = sinkhorn(leaf, a, b, epsilon=0.1, iterations=10, gradient="unrolled")
    result.cost.sum().backward()
    for i in range(len(cost)):
        rows, columns = a[i] > 0, b[i] > 0
        one = cost[i][rows][:, columns].clone().requires_grad_()
        plan = ot.sinkhorn(
            a[i][rows], b[i][columns], one, 0.1,
            method="sinkhorn_log", numItermax=10, stopThr=0, warn=False,
        )  # fmt: skip
        (plan * one).sum().backward()
        own = leaf.grad[i][rows][:, columns]
        torch.testing.assert_close(own, one.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("max_cost", [1.0, None, 1e9])
@pytest.mark.parametrize("settings", [dict(), dict(reach=0.5), dict(mass=0.6)], ids=str)
def test_padding_and_the_rest_of_the_batch_change_nothing(max_cost, settings):
    cost, a, b = problems()
    outside = ~((a > 0).unsqueeze(2) & (b > 0).unsqueeze(1))
    cost = cost.masked_fill(outside, float("nan"))
    a[3], b[4] = 0, 0  # empty problems
    leaf = cost.clone().requires_grad_()
    result = sinkhorn(leaf, a, b, epsilon=0.1, max_cost=max_cost, **settings)
    result.cost.sum().backward()
    assert torch.isfinite(result.plan).all() and torch.isfinite(leaf.grad).all()
    assert not result.plan[outside].any() and not result.plan[3:5].any()
    for i in (0, 1, 2, 5, 6, 7):
        rows, columns = a[i] > 0, b[i] > 0
        one = sinkhorn(
            cost[i][rows][:, columns][None], a[i][rows][None], b[i][columns][None],
            epsilon=0.1, max_cost=max_cost, **settings,
        )  # fmt: skip
        inside = result.plan[i][rows][:, columns]
        torch.testing.assert_close(inside, one.plan[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("max_cost", [1.0, 1e9])
def test_a_tolerance_stops_each_problem_by_itself(max_cost):
    cost, a, b = problems()
    cost[2] *= 0.01  # converges at once
    run = dict(epsilon=0.03, max_cost=max_cost)
    stopped = sinkhorn(cost, a, b, tolerance=1e-3, iterations=500, **run)
    converged = sinkhorn(cost, a, b, iterations=2000, **run)
    off = (stopped.plan.sum(2) - a).abs().sum(1) + (stopped.plan.sum(1) - b).abs().sum(1)
    assert (off < 3e-3).all()
    assert (stopped.plan - converged.plan).abs().max() > 1e-6  # it did stop
    for i in range(8):
        one = sinkhorn(*(t[i : i + 1] for t in (cost, a, b)), tolerance=1e-3, iterations=500, **run)
        torch.testing.assert_close(stopped.plan[i : i + 1], one.plan, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_costs_are_solved_in_single(dtype):
    cost, a, b = problems()
    cost = cost.to(dtype)
    result = sinkhorn(cost, a, b, epsilon=0.02)
    expected = sinkhorn(cost.float(), a, b, epsilon=0.02)
    assert result.plan.dtype == torch.float32
    torch.testing.assert_close(result.plan, expected.plan, rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        again = sinkhorn(cost.float(), a, b, epsilon=0.02)
    torch.testing.assert_close(again.plan, expected.plan, rtol=0, atol=0)


def test_identical_sentences_stay_where_they_are_at_a_low_temperature():
    x = torch.randn(2, 7, 32)
    weights = torch.full((2, 7), 1 / 7)
    result = sinkhorn(cosine_cost(x, x), weights, weights, epsilon=0.02, iterations=200)
    torch.testing.assert_close(result.plan, torch.eye(7).expand(2, 7, 7) / 7, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(epsilon=0.0), "epsilon 0.0"),
        (dict(epsilon=0.1, iterations=0), "iterations 0"),
        (dict(epsilon=0.1, reach=-1.0), "reach -1.0"),
        (dict(epsilon=0.1, mass=1.5), "mass 1.5"),
        (dict(epsilon=0.1, mass=0.5, reach=1.0), "either unbalanced"),
        (dict(epsilon=0.1, gradient="none"), "'none'"),
        (dict(epsilon=0.1, kernel="cuda"), "'cuda'"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn(*problems(), **settings)
