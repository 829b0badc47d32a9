"""The debiased Sinkhorn divergence, as GeomLoss computes it, for a batch of problems.

Shapes: B problems of at most S source and T target points, L the larger of both; D dimensions.
"""

from __future__ import annotations

from typing import Any

import torch

from fairseq_amber.objectives.optimal_transport.divergence_solver import Settings, Solved, solve
from fairseq_amber.objectives.precision import at_least_fp32

# A lower temperature would be lost in the rounding of the costs, and a value beside a higher one.
SMALLEST_BLUR, LARGEST_BLUR = 1e-9, 1e6
LARGEST_SCALING = 0.9999  # the steps to a usual blur are then 10^5
_PROBLEMS_AT_ONCE = 8  # on a CPU, whose cache holds no more


def sinkhorn_divergence(
    x: torch.Tensor,
    y: torch.Tensor,
    x_weights: torch.Tensor,
    y_weights: torch.Tensor,
    *,
    p: int = 2,
    blur: float = 0.05,
    scaling: float = 0.5,
    debias: bool = True,
) -> torch.Tensor:
    """Computes ``S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2``, where ``OT(a, b) = min_P <P,
    C> + blur^p KL(P | a (x) b)`` and ``C_ij = |x_i - y_j|^p / p``.

    This is the loss of Alqahtani et al. 2021 (arXiv 2110.02887), section 3.2, by the algorithm and
    with the defaults of GeomLoss's ``SamplesLoss("sinkhorn")`` (Feydy et al. 2019, arXiv
    1810.08278). The potentials come from averaged simultaneous updates, while the temperature falls
    from ``diameter^p`` to ``blur^p`` by the factor ``scaling^p``; a last step is differentiated.
    The diameter is that of the box around the points of a problem that count, so that the rest of a
    batch does not change the value of a problem.

    By the envelope theorem the potentials are constants in the gradient, which both the points and
    the weights receive. The computation is always in fp64: a usual cost between states of a
    transformer, tens to hundreds, is up to 10^5 times the default temperature of 0.0025.

    Args:
        x: (B, S, D) source points; padding may have any value.
        y: (B, T, D) target points; padding may have any value.
        x_weights: (B, S) weights a of the source points, which sum to 1; 0 = padding. A side
            without weight makes an empty problem, which has value 0 and no gradient.
        y_weights: (B, T) weights b of the target points, which sum to 1; 0 = padding.
        p: the exponent of the cost, 1 or 2.
        blur: the p-th root of the last temperature, in units of the states: 1e-9 to 1e6.
        scaling: the factor, above 0 and at most 0.9999, by which the p-th root of the temperature
            falls in a step.
        debias: subtract ``OT(a, a) / 2`` and ``OT(b, b) / 2``.

    Returns:
        (B,) values, in fp32 or, if points of either side are fp64, in fp64.

    Raises:
        ValueError: a setting is out of its range.
    """
    if p not in (1, 2):
        raise ValueError(f"p {p} is neither 1 nor 2")
    if not SMALLEST_BLUR <= blur <= LARGEST_BLUR:
        raise ValueError(f"blur {blur} is not between {SMALLEST_BLUR:g} and {LARGEST_BLUR:g}")
    if not 0 < scaling <= LARGEST_SCALING:
        raise ValueError(f"scaling {scaling} is not above 0 and at most {LARGEST_SCALING}")
    with torch.autocast(x.device.type, enabled=False):
        x, y = at_least_fp32(x, y)
        value = _Divergence.apply(x, y, x_weights, y_weights, p, blur, scaling, debias)
        return value.to(x.dtype)


class _Divergence(torch.autograd.Function):
    """The (B,) values, whose gradients are computed together with them."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        y: torch.Tensor,
        x_weights: torch.Tensor,
        y_weights: torch.Tensor,
        p: int,
        blur: float,
        scaling: float,
        debias: bool,
    ) -> torch.Tensor:
        sides = x, y, x_weights, y_weights
        settings = Settings(p, blur, scaling, debias, any(ctx.needs_input_grad[:2]))
        in_groups = x.device.type == "cpu" and len(x) > _PROBLEMS_AT_ONCE
        value, *gradients = (_by_size if in_groups else solve)(*sides, settings)
        ctx.save_for_backward(*gradients)
        ctx.dtypes = tuple(side.dtype for side in sides)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        wanted: list[torch.Tensor | None] = []
        for kept, dtype, needed in zip(ctx.saved_tensors, ctx.dtypes, ctx.needs_input_grad):
            if not needed:
                wanted.append(None)
                continue
            factor = gradient.to(kept).reshape(-1, *(1,) * (kept.dim() - 1))
            wanted.append((kept * factor).to(dtype))
        return (*wanted, None, None, None, None)


def _by_size(
    x: torch.Tensor,
    y: torch.Tensor,
    x_weights: torch.Tensor,
    y_weights: torch.Tensor,
    settings: Settings,
) -> Solved:
    """Solves the B problems of ``solve`` in groups of similar size, without most of their padding.

    The data of a group fits into the cache of a CPU.
    """
    positions = [torch.arange(1, w.size(1) + 1) * (w > 0) for w in (x_weights, y_weights)]
    lengths = torch.stack([position.amax(dim=1).clamp_min(1) for position in positions])
    parts = []
    for problem_indices in lengths.amax(dim=0).argsort().split(_PROBLEMS_AT_ONCE):
        n, m = lengths[:, problem_indices].amax(dim=1).tolist()
        block = solve(
            x[problem_indices, :n],
            y[problem_indices, :m],
            x_weights[problem_indices, :n],
            y_weights[problem_indices, :m],
            settings,
        )
        parts.append((problem_indices, block))

    def joined(name: str, full_size: torch.Tensor) -> Any:
        """Joins a field of the parts to a tensor in the shape of ``full_size``."""
        blocks = [(problem_indices, getattr(part, name)) for problem_indices, part in parts]
        if blocks[0][1] is None:
            return None
        out = torch.zeros(full_size.shape, dtype=blocks[0][1].dtype)
        for problem_indices, block in blocks:
            inside = tuple(slice(0, size) for size in block.shape[1:])
            out[(problem_indices,) + inside] = block
        return out

    return Solved(*map(joined, Solved._fields, (x[:, 0, 0], x, y, x_weights, y_weights)))
