"""The solver of the Sinkhorn divergence: its value and its gradient, in double precision.

Shapes: B problems of at most S source and T target points, L the larger of both; D dimensions. The
four problems a-b, b-a, a-a and b-b of each divergence are solved as one batch; they are called the
four sides below. Without debiasing there are only the first two.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from fairseq_amber.objectives.precision import at_least_fp32

# The annealing of a GPU, whose host does not read the diameters, allows diameter / blur up to 2^22.
# Beyond this, the rounding error even of fp64 costs exceeds the temperature.
_LARGEST_ANNEALING = 22 * math.log(2)
_SMALLEST_SQUARE = 1e-8  # squared distance, as in GeomLoss; below it p = 1 has no gradient
_BY_DIFFERENCES = "donot_use_mm_for_euclid_dist"  # torch.cdist without a matrix product


class Settings(NamedTuple):
    """The settings of a divergence.

    Attributes:
        p: as in ``divergence.sinkhorn_divergence``.
        blur: as in ``divergence.sinkhorn_divergence``.
        scaling: as in ``divergence.sinkhorn_divergence``.
        debias: as in ``divergence.sinkhorn_divergence``.
        differentiate: whether the points need a gradient.
    """

    p: int
    blur: float
    scaling: float
    debias: bool
    differentiate: bool


class Solved(NamedTuple):
    """The value of each divergence and its gradients.

    Attributes:
        value: (B,).
        x_gradient: (B, S, D) gradient with respect to the source points; None if it is not needed.
        y_gradient: (B, T, D) gradient with respect to the target points; None if it is not needed.
        x_weights_gradient: (B, S) gradient with respect to the source weights.
        y_weights_gradient: (B, T) gradient with respect to the target weights.
    """

    value: torch.Tensor
    x_gradient: torch.Tensor | None
    y_gradient: torch.Tensor | None
    x_weights_gradient: torch.Tensor
    y_weights_gradient: torch.Tensor


def solve(
    x: torch.Tensor,
    y: torch.Tensor,
    x_weights: torch.Tensor,
    y_weights: torch.Tensor,
    settings: Settings,
) -> Solved:
    """Solves B problems at once; the shapes are those of ``divergence.sinkhorn_divergence``. The
    gradients of points are fp32, or fp64 if the points are."""
    p, blur, scaling, debias, differentiate = settings
    sides = [_Side.of(x, x_weights), _Side.of(y, y_weights)]
    has_mass = (sides[0].weights > 0).any(dim=1) & (sides[1].weights > 0).any(dim=1)
    length = max(x.size(1), y.size(1))
    weights = torch.stack([_padded(side.weights, length) for side in sides])  # (2, B, L)
    weights = weights * has_mass.unsqueeze(1)
    points, diameter = _centered(sides)
    cost = _costs(points, length, p, debias)
    # An empty problem is solved with weights of 1, and its value is set to 0 at the end.
    log_weights = torch.where(has_mass.unsqueeze(1), weights, 1).log()
    columns = log_weights.flip(0)  # the weights of the columns: b, a, a, b
    if debias:
        columns = torch.cat([columns, log_weights])
    potentials = _annealed(cost, columns, diameter.clamp_min(blur * 1e-8), p, blur, scaling)

    temperature = torch.full_like(diameter, blur**p)
    scores = torch.empty_like(cost)
    final = _softmin(cost, columns + _partners(potentials) / blur**p, temperature, scores)
    weight_gradients = final[:2] - final[2:] if debias else final
    weight_gradients = weight_gradients.masked_fill(weights == 0, 0)
    value = (weights * weight_gradients).sum(dim=(0, 2))

    x_gradient = y_gradient = None
    if differentiate:
        plans = scores.div_(scores.sum(dim=3, keepdim=True))  # each row sums to 1
        if p == 1:  # dC / dx = (x - y) / |x - y|
            plans = torch.where(cost > math.sqrt(_SMALLEST_SQUARE), plans / cost, 0)
        plans.mul_(weights.repeat(len(plans) // 2, 1, 1).unsqueeze(3))
        dtype = sides[0].points.dtype
        # With p = 1 a difference of close points is divided by their small distance.
        precision = torch.float64 if p == 1 else dtype
        gradients = _gradients([z.to(precision) for z in points], plans.to(precision))
        x_gradient, y_gradient = (gradient.to(dtype) for gradient in gradients)
    x_weights_gradient, y_weights_gradient = (
        weight_gradients[0, :, : x.size(1)],
        weight_gradients[1, :, : y.size(1)],
    )
    return Solved(value, x_gradient, y_gradient, x_weights_gradient, y_weights_gradient)


class _Side(NamedTuple):
    """The points of one side.

    Attributes:
        points: (B, N, D); points that do not count are moved to the mean.
        mean: (B, 1, D) mean of the points that count.
        weights: (B, N) in fp64.
    """

    points: torch.Tensor
    mean: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of(cls, points: torch.Tensor, weights: torch.Tensor) -> _Side:
        """Makes a side from (B, N, D) points and (B, N) weights."""
        points = at_least_fp32(points)
        valid = (weights > 0).unsqueeze(2)
        count = valid.sum(dim=1, keepdim=True).clamp_min(1)
        points = points.masked_fill(~valid, 0)
        mean = points.sum(dim=1, keepdim=True) / count
        return cls(torch.where(valid, points, mean), mean, weights.double())


def _padded(values: torch.Tensor, length: int) -> torch.Tensor:
    """Pads with zeros: (..., N) -> (..., L)."""
    return F.pad(values, (0, length - values.size(-1)))


def _centered(sides: list[_Side]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Shifts the points to a common centre, in fp64, as squares round off less near the origin.

    Returns:
        The points of both sides, and the (B,) diagonal of the box around them.
    """
    boxes = [torch.aminmax(side.points, dim=1) for side in sides]
    lowest = torch.minimum(boxes[0].min, boxes[1].min).double()
    highest = torch.maximum(boxes[0].max, boxes[1].max).double()
    center = (sides[0].mean.double() + sides[1].mean.double()) / 2
    return [side.points - center for side in sides], (highest - lowest).norm(dim=1)


def _costs(points: list[torch.Tensor], length: int, p: int, debias: bool) -> torch.Tensor:
    """Computes the costs of the four sides: (4 or 2, B, L, L)."""
    norms = [z.square().sum(dim=2) for z in points]
    pairs = [(0, 1), (0, 0), (1, 1)] if debias else [(0, 1)]
    costs = points[0].new_zeros(len(pairs) + 1, points[0].size(0), length, length)
    for side, (i, j) in zip((0, 2, 3), pairs):
        block = costs[side, :, : points[i].size(1), : points[j].size(1)]
        if p == 1:
            # From the differences themselves: far from the origin, the rounding of squared norms
            # would set coincident points apart, and each would then have a gradient of norm 1.
            block.copy_(torch.cdist(points[i], points[j], compute_mode=_BY_DIFFERENCES))
        else:
            torch.add(norms[i].unsqueeze(2), norms[j].unsqueeze(1), out=block)
            block.baddbmm_(points[i], points[j].transpose(1, 2), alpha=-2)
    costs[1] = costs[0].transpose(1, 2)
    return costs.div_(2) if p == 2 else costs.clamp_min_(math.sqrt(_SMALLEST_SQUARE))


def _partners(potentials: torch.Tensor) -> torch.Tensor:
    """Returns the potentials of the columns: for a-b those of b-a, and for a-a its own. (4, B, L)
    -> (4, B, L)."""
    return torch.cat([potentials[:2].flip(0), potentials[2:]])


def _softmin(
    cost: torch.Tensor, log_masses: torch.Tensor, temperature: torch.Tensor, buffer: torch.Tensor
) -> torch.Tensor:
    """Computes ``-t log sum_j exp(h_j - C_ij / t)``: (4, B, L, L), (4, B, L), (B,) -> (4, B, L).

    ``buffer``, a tensor like ``cost``, receives the exponentials, each divided by the
    largest one of its row.
    """
    torch.mul(cost, (-1 / temperature)[:, None, None], out=buffer)
    buffer += log_masses.unsqueeze(2)
    largest = buffer.amax(dim=3, keepdim=True)
    total = buffer.sub_(largest).exp_().sum(dim=3)
    return -temperature[:, None] * (total.log() + largest.squeeze(3))


def _annealed(
    cost: torch.Tensor,
    log_weights: torch.Tensor,
    diameter: torch.Tensor,
    p: int,
    blur: float,
    scaling: float,
) -> torch.Tensor:
    """Computes the (4, B, L) potentials of the rows, by a schedule of temperatures per problem."""
    decay = -math.log(scaling)
    most = math.ceil(_LARGEST_ANNEALING / decay)
    falling = ((diameter / blur).log() / decay).ceil().clamp(0, most)
    steps = int(falling.nan_to_num(0).max()) if falling.device.type == "cpu" else most
    first = diameter**p
    buffer = torch.empty_like(cost)
    potentials = _softmin(cost, log_weights, first, buffer)
    for step in range(-1, steps + 1):
        # The first temperature comes twice, then the falling ones, then the last.
        temperature = first * scaling ** (p * max(step, 0))
        temperature = torch.where(step < falling, temperature, blur**p)
        masses = log_weights + _partners(potentials) / temperature[:, None]
        updated = (potentials + _softmin(cost, masses, temperature, buffer)) / 2
        potentials = torch.where((step <= falling).unsqueeze(1), updated, potentials)
    return potentials


def _gradients(points: list[torch.Tensor], plans: torch.Tensor) -> list[torch.Tensor]:
    """Computes the gradients of both sides, (B, N, D) each.

    The gradient of side a is ``sum_j W_ij (x_i - y_j)`` over the plan W of a-b, minus the same sum
    over the plan of a-a.
    """
    out = []
    for i, (own, other) in enumerate((points, points[::-1])):
        across = plans[i, :, : own.size(1), : other.size(1)]
        moved = own * across.sum(dim=2, keepdim=True)
        moved.baddbmm_(across, other, alpha=-1)
        if len(plans) > 2:
            within = plans[2 + i, :, : own.size(1), : own.size(1)]
            moved.addcmul_(own, within.sum(dim=2, keepdim=True), value=-1)
            moved.baddbmm_(within, own)
        out.append(moved)
    return out
