"""The arithmetic of Sinkhorn's iterations, with scalings or with their logarithms.

A plan is ``P = diag(u) K diag(v)`` with the kernel ``K = exp(-cost / epsilon)``. The names u and v
here stand for these scalings, which include the weights a and b, or for their logarithms.

Shapes: B problems of at most S source and T target points.
"""

from __future__ import annotations

import torch


class Exponential:
    """Computes with the scalings themselves.

    An iteration takes two batched products of a vector and a matrix. (A CPU takes several times as
    long for products of a matrix and a vector.)

    Args:
        cost: (B, S, T) costs in units of epsilon, 0 in the padding.
        a: (B, S) source weights; each problem has one above 0.
        b: (B, T) target weights; each problem has one above 0.
    """

    def __init__(self, cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor):
        self.kernel = torch.exp(-cost)
        self.a, self.b = a, b
        self.transposed = self.kernel.transpose(1, 2)

    def columns(self, u: torch.Tensor) -> torch.Tensor:
        """Computes ``K^T u``: (B, S) -> (B, T)."""
        return torch.bmm(u.unsqueeze(1), self.kernel).squeeze(1)

    def rows(self, v: torch.Tensor) -> torch.Tensor:
        """Computes ``K v``: (B, T) -> (B, S)."""
        return torch.bmm(v.unsqueeze(1), self.transposed).squeeze(1)

    @staticmethod
    def scaled(weights: torch.Tensor, sums: torch.Tensor, power: float) -> torch.Tensor:
        """Computes ``weights / sums^power``, (B, N) each."""
        return weights / (sums if power == 1 else sums**power)

    @staticmethod
    def capped(weights: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """Computes ``weights / max(sums, 1)``, (B, N) each."""
        return weights / sums.clamp_min(1)

    @staticmethod
    def times(values: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Multiplies (B, N) values by a factor, (B, 1) or (B, N)."""
        return values * factor

    @staticmethod
    def share(mass: float, u: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Returns the (B, 1) factor of u (B, S) with which the plan holds ``mass``."""
        return mass / (u * rows).sum(dim=1, keepdim=True)

    def relative_change(self, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Computes the (B, 1) change ``sum_i a_i |old_i / new_i - 1|`` of (B, S) scalings."""
        change = (old - new) / new.clamp_min(torch.finfo(new.dtype).tiny)
        return (self.a * change.abs()).sum(dim=1, keepdim=True)

    def plan(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Computes the (B, S, T) plan from u (B, S) and v (B, T)."""
        return self.kernel * u.unsqueeze(2) * v.unsqueeze(1)


class Logarithmic:
    """Computes with the logarithms of the scalings, for any cost; methods as in ``Exponential``."""

    def __init__(self, cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor):
        self.log_kernel = -cost
        self.weights = a
        self.a, self.b = a.log(), b.log()

    def columns(self, u: torch.Tensor) -> torch.Tensor:
        """Computes ``log K^T u``: (B, S) -> (B, T)."""
        return torch.logsumexp(self.log_kernel + u.unsqueeze(2), dim=1)

    def rows(self, v: torch.Tensor) -> torch.Tensor:
        """Computes ``log K v``: (B, T) -> (B, S)."""
        return torch.logsumexp(self.log_kernel + v.unsqueeze(1), dim=2)

    @staticmethod
    def scaled(weights: torch.Tensor, sums: torch.Tensor, power: float) -> torch.Tensor:
        """Computes ``log(weights / sums^power)``, (B, N) each."""
        return weights - power * sums

    @staticmethod
    def capped(weights: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """Computes ``log(weights / max(sums, 1))``, (B, N) each."""
        return weights - sums.clamp_min(0)

    @staticmethod
    def times(values: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Computes the logarithm of (B, N) values times a factor, (B, 1) or (B, N)."""
        return values + factor

    @staticmethod
    def share(mass: float, u: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Returns the logarithm of the (B, 1) factor of u with which the plan holds ``mass``."""
        held = torch.logsumexp(u + rows, dim=1, keepdim=True)
        return torch.full_like(held, mass).log() - held

    def relative_change(self, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Computes the (B, 1) change ``sum_i a_i |old_i / new_i - 1|`` of (B, S) scalings."""
        change = torch.where(self.weights > 0, old - new, 0).expm1()
        return (self.weights * change.abs()).sum(dim=1, keepdim=True)

    def plan(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Computes the (B, S, T) plan from u (B, S) and v (B, T)."""
        return torch.exp(self.log_kernel + u.unsqueeze(2) + v.unsqueeze(1))
