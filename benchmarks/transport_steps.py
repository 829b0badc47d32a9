"""Steps of optimal transport, and the check that solvers of the same objective agree."""

from __future__ import annotations

from typing import Callable

import torch
from transport_solvers import Pairs, Solver


def step_of(pairs: Pairs, solver: Solver) -> Callable[[], None]:
    """A step of a solver: forward and backward pass."""

    def step() -> None:
        pairs.x.grad = pairs.y.grad = None
        solver.values(pairs).loss.sum().backward()

    return step


class Agreement:
    """Compares every solver with the first solver of its objective.

    Args:
        pairs: the problem that all solve.
        slack: factor by which the tolerances are multiplied.
    """

    def __init__(self, pairs: Pairs, slack: float = 1.0):
        self._pairs = pairs
        self._slack = slack
        self._firsts: dict[str, tuple[str, torch.Tensor, torch.Tensor]] = {}

    def check(self, name: str, solver: Solver) -> tuple[float, float]:
        """Compares the values and the gradient of a solver with the first solver's.

        Returns:
            The relative errors, in norm, of the values and of the gradient.

        Raises:
            RuntimeError: an error is larger than the solver's tolerance.
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
