"""The exponential and the logarithmic domain against each other."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn
from fairseq_amber.objectives.optimal_transport.domains import Exponential, Logarithmic
from transport_problems import problems


@pytest.mark.parametrize("power", [1.0, 0.6])
def test_each_operation_in_one_domain_is_the_logarithm_of_that_in_the_other(power):
    cost, a, b = (tensor.double() for tensor in problems())
    plain, logarithmic = Exponential(cost, a, b), Logarithmic(cost, a, b)
    u, v = 0.5 + torch.rand_like(a), 0.5 + torch.rand_like(b)
    columns, rows = plain.columns(u), plain.rows(v)
    pairs = [
        (columns, logarithmic.columns(u.log())),
        (rows, logarithmic.rows(v.log())),
        (plain.scaled(a, rows, power), logarithmic.scaled(a.log(), rows.log(), power)),
        (plain.capped(a, rows), logarithmic.capped(a.log(), rows.log())),
        (plain.times(u, rows), logarithmic.times(u.log(), rows.log())),
        (plain.share(0.7, u, rows), logarithmic.share(0.7, u.log(), rows.log())),
    ]
    for value, logarithm in pairs:
        torch.testing.assert_close(logarithm.exp(), value)
    torch.testing.assert_close(logarithmic.plan(u.log(), v.log()), plain.plan(u, v))
    torch.testing.assert_close(
        logarithmic.relative_change(u.log(), rows.log()), plain.relative_change(u, rows)
    )


def test_costs_of_every_size_in_one_batch_each_take_their_own_domain():
    cost, a, b = problems()
    sizes = torch.tensor([1e-6, 1.0, 10.0, 1e3, 1e6, 0.1, 59.0, 61.0]).view(-1, 1, 1)
    cost = cost * sizes
    together = sinkhorn(cost, a, b, epsilon=0.1, iterations=30)
    for i in range(8):
        one = sinkhorn(*(t[i : i + 1] for t in (cost, a, b)), epsilon=0.1, iterations=30)
        torch.testing.assert_close(together.plan[i : i + 1], one.plan, rtol=0, atol=1e-7)
    assert torch.isfinite(together.plan).all()


@pytest.mark.parametrize(
    "settings", [dict(), dict(reach=0.5), dict(mass=0.6), dict(tolerance=1e-4)], ids=str
)
@pytest.mark.parametrize("gradient", ["envelope", "unrolled"])
def test_the_two_domains_agree(settings, gradient):
    cost, a, b = problems()
    results = []
    for max_cost in (1.0, 1e9):  # by the exponential, and by the logarithmic domain
        leaf = cost.clone().requires_grad_()
        result = sinkhorn(leaf, a, b, epsilon=0.1, max_cost=max_cost, gradient=gradient, **settings)
        result.cost.sum().backward()
        results.append((result.plan, result.cost, leaf.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("settings", [dict(), dict(reach=0.5)], ids=str)
def test_an_outlier_at_a_low_temperature_leaves_the_unrolled_gradient_finite(settings):
    """The backward pass squares sums that are small, but not yet too small."""
    cost, a, b = (tensor[1:2] for tensor in problems(uniform=True))
    cost = 0.05 * cost
    cost[:, 0], cost[:, :, 0] = 1.0, 1.0
    for dtype in (torch.float32, torch.float64):
        leaf = cost.to(dtype, copy=True).requires_grad_()
        result = sinkhorn(leaf, a, b, epsilon=0.018, max_cost=1.0, gradient="unrolled", **settings)
        result.cost.sum().backward()
        assert torch.isfinite(leaf.grad).all() and leaf.grad.any()
