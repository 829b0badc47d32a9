"""What people report of the numbers of an objective, each with the value that is right."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn_divergence

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
