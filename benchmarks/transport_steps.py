"""A step of optimal transport, and whether the solvers of one objective agree in it."""

from __future__ import annotations

from typing import Callable

import torch
from transport_solvers import Pairs, Solver


def step_of(pairs: Pairs, solver: Solver) -> Callable[[], None]:
    """Forward and backward."""

    def step() -> None:
        pairs.x.grad = pairs.y.grad = None
        solver.values(pairs).loss.sum().backward()

    return step


class Agreement:
    """Compares every solver with the first one of its objective.

    Args:
        pairs: what they solve.
        slack: a factor of their tolerances.
    """

    def __init__(self, pairs: Pairs, slack: float = 1.0):
        self._pairs = pairs
        self._slack = slack
        self._firsts: dict[str, tuple[str, torch.Tensor, torch.Tensor]] = {}

    def check(self, name: str, solver: Solver) -> tuple[float, float]:
        """How far the values and the gradient are off, as norms relative to the first one's.

        Raises:
            RuntimeError: more than the solver's tolerance.
        """
        pairs = self._pairs
        pairs.x.grad = pairs.y.grad = None
        loss, value = solver.values(pairs)
        loss.sum().backward()
        gradient = torch.cat([pairs.x.grad.flatten(), pairs.y.grad.flatten()])
        value = value.detach()
        first, wanted, wanted_gradient = self._firsts.setdefault(
            solver.objective, (name, value, gradient)
        )
        off = float((value - wanted).norm() / wanted.norm())
        gradient_off = float((gradient - wanted_gradient).norm() / wanted_gradient.norm())
        tolerance = self._slack * solver.tolerance
        limit = 1000 * tolerance if solver.same_gradient else float("inf")
        if not (off <= tolerance and gradient_off <= limit):
            raise RuntimeError(
                f"{name} and {first} differ by {off:.1e} in value and {gradient_off:.1e} in "
                "gradient"
            )
        return off, gradient_off
