"""What people report of the numbers of an objective, each with the value that is right."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn, sinkhorn_divergence

FAR = 3000.0  # states of this spread have squared norms of 10^8, as those of some layers have


def gradients(function, x, y, **settings):
    """The gradients of both sides, in fp64, of one problem whose points weigh the same."""
    x, y = (side.detach().clone().requires_grad_() for side in (x, y))
    weights = [torch.full(side.shape[:2], 1 / side.size(1)) for side in (x, y)]
    function(x, y, *weights, **settings).sum().backward()
    return [side.grad.double() for side in (x, y)]


def points(seed, count, dtype):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, count, 16, generator=generator).to(dtype)


def geomloss(x, y, a, b, p, blur):
    loss = pytest.importorskip("geomloss", reason="GeomLoss is not installed").SamplesLoss
    return loss("sinkhorn", p=p, blur=blur)(a.double(), x, b.double(), y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(3))
def test_distances_of_states_far_from_the_origin(dtype, seed):
    """With p = 1, the rounding of large norms set a point apart from itself, which added a gradient
    of norm 1. The divergence scales with its points and its blur, so that its gradient is that of
    GeomLoss on the small states."""
    x, y = points(seed, 3, dtype), points(seed + 9, 2, dtype)
    far = [(side * 2048).to(dtype) for side in (x, y)]  # exact in every type
    wanted = gradients(geomloss, x.double(), y.double(), p=1, blur=0.05)
    found = gradients(sinkhorn_divergence, *far, p=1, blur=0.05 * 2048)
    tolerance = {torch.float64: 1e-9, torch.float32: 1e-6}.get(dtype, torch.finfo(dtype).eps)
    for gradient, expected in zip(found, wanted):
        assert (gradient - expected).norm() <= tolerance * expected.norm()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("p", [1, 2])
def test_coincident_points_far_from_the_origin(dtype, p):
    """Equal states pull at each other with nothing; a state of the other side at a known distance
    pulls with the gradient of that distance."""
    x = (points(0, 4, dtype) * FAR).to(dtype)
    for gradient in gradients(sinkhorn_divergence, x, x, p=p):
        assert gradient.abs().max() <= torch.finfo(torch.float32).eps * FAR
    ours, theirs = x[:, :1], x[:, 1:2]
    difference = ours.double() - theirs.double()
    wanted = difference / difference.norm() if p == 1 else difference
    found = gradients(sinkhorn_divergence, ours, theirs, p=p)
    for gradient, sign in zip(found, (1, -1)):
        error = (gradient - sign * wanted).norm() / wanted.norm()
        assert error <= max(torch.finfo(dtype).eps, 1e-6)


def test_states_whose_distance_is_small_beside_their_norm():
    """In single precision the gradient of close points far from the origin was that of rounding."""
    x = (points(0, 1, torch.float32) * FAR).requires_grad_()
    y = torch.nextafter(x.detach(), torch.tensor(torch.inf))
    anchor = -x.detach()  # far from both, so that the common centre is not between them
    sides = torch.cat([x, anchor], 1), torch.cat([y, anchor], 1)
    weights = torch.full((1, 2), 0.5)
    sinkhorn_divergence(*sides, weights, weights, p=1).sum().backward()
    difference = (x.detach().double() - y.double()).squeeze()
    wanted = 0.5 * difference / difference.norm()
    torch.testing.assert_close(x.grad.squeeze().double(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(epsilon=1e-20), "epsilon 1e-20 is too low for costs up to"),
        (dict(epsilon=1e-20, max_cost=2.0), "epsilon 1e-20 is too low for costs up to 2"),
        (dict(epsilon=0.0), "epsilon 0.0 is not a finite number above 0"),
        (dict(epsilon=float("nan")), "epsilon nan is not a finite number above 0"),
        (dict(iterations=0), "iterations 0 is less than 1"),
        (dict(iterations=-1), "iterations -1 is less than 1"),
        (dict(tolerance=float("nan")), "tolerance nan is not a finite number above 0"),
        (dict(tolerance=-1.0), "tolerance -1.0 is not a finite number above 0"),
        (dict(mass=1e-44), "mass 1e-44 is less than 1e-30"),
        (dict(max_cost=float("nan")), "max_cost nan is not a finite number from 0 up"),
    ],
)
def test_settings_of_sinkhorn_that_arithmetic_cannot_follow(settings, message):
    """An epsilon of 1e-20 gave a plan whose mass was 20 in place of 1."""
    a = torch.full((1, 3), 1 / 3)
    cost = torch.rand(1, 3, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=message):
        sinkhorn(cost, a, a, **{"epsilon": 0.1, **settings})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", [2e-12, 1e-6, 0.1, 1e3, 1e30, 1e300])
@pytest.mark.parametrize("other", [{}, {"mass": 1e-30}, {"mass": 0.5}], ids=str)
def test_the_mass_of_a_plan_at_every_temperature_that_is_accepted(epsilon, dtype, other):
    """What is accepted gives a plan of the mass that was asked for."""
    generator = torch.Generator().manual_seed(0)
    cost = 2 * torch.rand(2, 20, 17, generator=generator, dtype=dtype)
    a, b = (torch.full((2, n), 1 / n, dtype=dtype) for n in (20, 17))
    plan = sinkhorn(cost, a, b, epsilon=epsilon, iterations=100, **other).plan.double()
    wanted = other.get("mass", 1.0)
    assert plan.sum(dim=(1, 2)).tolist() == pytest.approx([wanted] * 2, rel=1e-3)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(blur=1e-200), "blur 1e-200 is not between 1e-09 and 1e"),
        (dict(blur=1e200), "blur 1e[+]200 is not between 1e-09 and 1e"),
        (dict(blur=float("nan")), "blur nan is not between"),
        (dict(scaling=1 - 1e-12), "scaling 0.99.* is not above 0 and at most 0.9999"),
    ],
)
def test_settings_of_the_divergence_that_arithmetic_cannot_follow(settings, message):
    """A blur of 1e-200 has a temperature of 0, one of 1e200 of infinity, and a scaling next to 1
    never comes to its end."""
    x, a = points(0, 3, torch.float32), torch.full((1, 3), 1 / 3)
    with pytest.raises(ValueError, match=message):
        sinkhorn_divergence(x, x + 1, a, a, **settings)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("blur", [1e-9, 1e6])
def test_the_divergence_of_a_shift_at_the_ends_of_the_temperatures(p, blur):
    """A shift by s costs |s|^p / p at the lowest temperature and, for p = 2, at every other."""
    x, shift = points(0, 5, torch.float64), 3.0
    a = torch.full((1, 5), 0.2)
    value = sinkhorn_divergence(x, x + shift, a, a, p=p, blur=blur).item()
    distance = shift * 4  # in 16 dimensions
    most = distance**p / p
    assert (0.999 if p == 2 else 0) * most <= value <= 1.001 * most
