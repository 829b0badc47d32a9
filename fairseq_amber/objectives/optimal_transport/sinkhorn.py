"""Entropic optimal transport for a batch of problems: balanced, unbalanced or partial.

Shapes: B problems of at most S source and T target points.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from fairseq_amber.objectives.optimal_transport import triton_kernel
from fairseq_amber.objectives.optimal_transport.domains import Exponential, Logarithmic
from fairseq_amber.objectives.precision import at_least_fp32

# Up to this cost / epsilon, all numbers of the iterations in the exponential domain stay normal.
# The backward pass through the iterations squares sums, so that its limit is lower.
_LARGEST_QUOTIENT = {torch.float32: 60.0, torch.float64: 600.0}
_LARGEST_UNROLLED = {torch.float32: 40.0, torch.float64: 340.0}
# Beyond this cost / epsilon, the rounding of fp64 costs changes the mass of a plan; beyond the
# second one, that of the fp32 costs of the GPU kernel.
LARGEST_EXPONENT = {"torch": 2.0**40, "triton": 2.0**17}
SMALLEST_MASS = 1e-30  # the shares of less are no normal numbers of fp32


class Transport(NamedTuple):
    """The solution of each problem.

    Attributes:
        plan: (B, S, T) mass that goes from i to j; 0 in the padding.
        cost: (B,) sum over i and j of ``plan_ij cost_ij``.
    """

    plan: torch.Tensor
    cost: torch.Tensor


def sinkhorn(
    cost: torch.Tensor,
    source_weights: torch.Tensor,
    target_weights: torch.Tensor,
    *,
    epsilon: float,
    iterations: int = 50,
    tolerance: float | None = None,
    reach: float | None = None,
    mass: float | None = None,
    max_cost: float | None = None,
    gradient: str = "envelope",
    kernel: str = "torch",
) -> Transport:
    """Solves ``min_P <P, C> + epsilon KL(P | a (x) b)`` by Sinkhorn's iterations (Cuturi 2013).

    The row and column sums of P are a and b. With ``reach`` rho they may differ, at a price of
    ``rho KL(P 1 | a) + rho KL(P^T 1 | b)`` (Chizat et al. 2018). With ``mass`` m they are at most a
    and b, and P sums to m (Benamou et al. 2015, section 5).

    Where the largest ``cost / epsilon`` is at most 60 (40 for the unrolled gradient; 600 and 340 if
    the cost is fp64), the computation is in fp32 and in the exponential domain; elsewhere it is in
    fp64 and in the logarithmic domain. The host never waits for a GPU to find out: without
    ``max_cost``, a GPU uses the logarithmic domain.

    Args:
        cost: (B, S, T) costs C; padding may have any value.
        source_weights: (B, S) weights a, which sum to 1; 0 = padding. A side without weight makes
            an empty problem, whose plan and cost are 0.
        target_weights: (B, T) weights b, which sum to 1; 0 = padding.
        epsilon: the temperature, in units of the cost.
        iterations: the largest number of iterations; each updates the target's potential, then the
            source's.
        tolerance: a problem stops after an iteration that moves its sources by less than this (in
            the balanced case, this is the L1 norm of the error of the row sums). The other problems
            go on: on a CPU until all have stopped, on a GPU for all iterations.
        reach: the price rho > 0; None for balanced transport.
        mass: the mass m, with 0 < m <= 1; None for the whole mass.
        max_cost: an upper bound of the costs, none of which may be negative.
        gradient: ``envelope`` takes the plan as a constant, so that ``cost`` has the gradient of
            the minimum above, and weights have no gradient; ``unrolled`` differentiates ``<P, C>``
            itself, through the iterations. These are gradients of different functions.
        kernel: ``torch``; or ``triton``, one fused GPU kernel in the logarithmic domain and in
            fp32, wherever ``triton_kernel.available`` allows it; not with ``mass`` or
            ``unrolled``.

    Returns:
        The plans and their costs. On a GPU and without ``max_cost``, a problem whose costs are too
        large for the temperature has a plan of NaN.

    Raises:
        ValueError: a setting is out of its range, or the temperature too low for the costs.
    """
    _check(epsilon, iterations, tolerance, reach, mass, max_cost, gradient, kernel)
    settings = _Settings(epsilon, iterations, tolerance, reach, mass)
    with torch.autocast(cost.device.type, enabled=False):
        cost = at_least_fp32(cost)
        a, b = source_weights.to(cost), target_weights.to(cost)
        unrolled = gradient == "unrolled" and torch.is_grad_enabled()
        with torch.set_grad_enabled(unrolled):
            has_mass = (a > 0).any(dim=1, keepdim=True) & (b > 0).any(dim=1, keepdim=True)
            valid = (a > 0).unsqueeze(2) & (b > 0).unsqueeze(1)
            masked = cost.masked_fill(~valid, 0)
            too_large = _too_large(masked, epsilon, max_cost)
            masked = masked / epsilon
            # An empty problem is solved with equal weights and no costs; then its plan is set to 0.
            a, b = (torch.where(has_mass, weights, 1 / weights.size(1)) for weights in (a, b))
            fused = kernel == "triton" and mass is None and not unrolled
            if fused and triton_kernel.available(masked):
                plan = _fused(masked, a, b, settings)
            else:
                limit = None if max_cost is None else max_cost / epsilon
                plan = _by_domain(masked, a, b, settings, limit)
            plan = torch.where(has_mass.unsqueeze(2), plan, 0.0)
            if too_large is not None:
                plan = plan.masked_fill(too_large, math.nan)
        return transported(plan, cost)


def transported(plan: torch.Tensor, cost: torch.Tensor) -> Transport:
    """Adds the costs (B,) to plans (B, S, T); where a plan is 0, ``cost`` may have any value."""
    return Transport(plan, (plan * cost.masked_fill(plan == 0, 0)).sum(dim=(1, 2)))


class _Settings(NamedTuple):
    """The settings of the iterations; ``sinkhorn`` explains them.

    Attributes:
        epsilon: the temperature, in units of the cost.
        iterations: the largest number of iterations.
        tolerance: the change at which a problem stops; None for never.
        reach: the price of marginals that differ from a and b; None for equal ones.
        mass: the mass of a partial plan; None for the whole mass.
    """

    epsilon: float
    iterations: int
    tolerance: float | None
    reach: float | None
    mass: float | None

    @property
    def power(self) -> float:
        """The exponent of the sums that weights are divided by."""
        return 1.0 if self.reach is None else 1 / (1 + self.epsilon / self.reach)


def _by_domain(
    cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor, settings: _Settings, bound: float | None
) -> torch.Tensor:
    """Computes each (B, S, T) plan in a domain where it is safe; ``cost`` is in units of
    epsilon."""
    limits = _LARGEST_UNROLLED if torch.is_grad_enabled() else _LARGEST_QUOTIENT
    limit = limits[cost.dtype]
    if bound is None and cost.device.type == "cpu":
        small = cost.detach().abs().amax(dim=(1, 2)) <= limit
        if small.any() and not small.all():
            plan = torch.zeros_like(cost)
            for selected, domain_bound in ((small, limit), (~small, math.inf)):
                selected_plans = _by_domain(
                    cost[selected], a[selected], b[selected], settings, domain_bound
                )
                plan = plan.index_put((selected,), selected_plans)
            return plan
        bound = limit if small.all() else math.inf
    if bound is not None and bound <= limit:
        return _iterated(Exponential(cost, a, b), settings)
    plan = _iterated(Logarithmic(cost.double(), a.double(), b.double()), settings)
    return plan.to(cost.dtype)


def _iterated(domain: Exponential | Logarithmic, settings: _Settings) -> torch.Tensor:
    """Computes the (B, S, T) plans by Sinkhorn's iterations."""
    a, b, power, mass = domain.a, domain.b, settings.power, settings.mass
    u, v, share = a, b, a
    if mass is not None:
        share = domain.share(mass, a, domain.rows(b))
        u = domain.times(a, share)
    moving: torch.Tensor | None = None
    for _ in range(settings.iterations):
        if mass is None:
            next_v = domain.scaled(b, domain.columns(u), power)
            next_u = domain.scaled(a, domain.rows(next_v), power)
        else:
            next_v = domain.capped(b, domain.columns(u))
            rows = domain.rows(next_v)
            next_u = domain.capped(a, domain.times(rows, share))
            next_share = domain.share(mass, next_u, rows)
            next_u = domain.times(next_u, next_share)
            share = next_share if moving is None else torch.where(moving, next_share, share)
        if settings.tolerance is None:
            u, v = next_u, next_v
            continue
        moved = domain.relative_change(u, next_u) >= settings.tolerance
        if moving is not None:
            next_u, next_v = torch.where(moving, next_u, u), torch.where(moving, next_v, v)
            moved &= moving
        u, v, moving = next_u, next_v, moved
        if moving.device.type == "cpu" and not moving.any():
            break
    return domain.plan(u, v)


def _fused(
    cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor, settings: _Settings
) -> torch.Tensor:
    """Computes the (B, S, T) plans by the GPU kernel; ``cost`` is in units of epsilon."""
    log_a, log_b = a.log(), b.log()
    log_u, log_v = triton_kernel.log_scalings(
        cost,
        log_a,
        log_b,
        epsilon=1.0,
        iterations=settings.iterations,
        power=settings.power,
        tolerance=settings.tolerance,
    )
    return torch.exp((log_a + log_u).unsqueeze(2) + (log_b + log_v).unsqueeze(1) - cost)


def _too_large(cost: torch.Tensor, epsilon: float, bound: float | None) -> torch.Tensor | None:
    """Checks that the temperature is not too low for the costs; infinite costs are not among them.

    Returns:
        (B, 1, 1) bool, True where it is too low; None where it is known to be False everywhere.

    Raises:
        ValueError: the bound of the costs, or on a CPU the largest cost, is too large.
    """
    limit = LARGEST_EXPONENT["torch"] * epsilon
    largest: float = 0.0 if bound is None else bound
    too_large = None
    if bound is None:
        finite = cost.detach().masked_fill(~cost.detach().isfinite(), 0).double().abs()
        largest_costs = finite.flatten(1).amax(dim=1) if finite.numel() else finite.sum((1, 2))
        too_large = (largest_costs > limit)[:, None, None]
        if cost.device.type == "cpu":
            largest, too_large = float(largest_costs.max()) if len(cost) else 0.0, None
    if largest > limit:
        raise ValueError(f"epsilon {epsilon} is too low for costs up to {largest:g}")
    return too_large


def _check(
    epsilon: float,
    iterations: int,
    tolerance: float | None,
    reach: float | None,
    mass: float | None,
    max_cost: float | None,
    gradient: str,
    kernel: str,
) -> None:
    """Raises ValueError if a setting is out of its range or contradicts another one."""
    given = dict(epsilon=epsilon, tolerance=tolerance, reach=reach, mass=mass)
    for name, value in given.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} {value} is not a finite number above 0")
    if iterations < 1:
        raise ValueError(f"iterations {iterations} is less than 1")
    if max_cost is not None and not 0 <= max_cost < math.inf:
        raise ValueError(f"max_cost {max_cost} is not a finite number from 0 up")
    if mass is not None and mass > 1:
        raise ValueError(f"mass {mass} is more than 1, the whole mass")
    if mass is not None and mass < SMALLEST_MASS:
        raise ValueError(f"mass {mass} is less than {SMALLEST_MASS}, which fp32 can share out")
    if mass is not None and reach is not None:
        raise ValueError("a problem is either unbalanced (reach) or partial (mass)")
    if gradient not in ("envelope", "unrolled"):
        raise ValueError(f"gradient {gradient!r} is neither envelope nor unrolled")
    if kernel not in ("torch", "triton"):
        raise ValueError(f"kernel {kernel!r} is neither torch nor triton")
