"""Solvers of optimal transport, ours and those of other libraries, and the pairs they solve."""

from __future__ import annotations

import importlib.util
from typing import Callable, Iterator, NamedTuple

import numpy as np
import ot
import torch
import torch.nn.functional as F

from fairseq_amber.objectives.optimal_transport import (
    cosine_cost,
    exact_transport,
    sinkhorn,
    sinkhorn_divergence,
    uniform_weights,
)

EPSILON = 0.1
ITERATIONS = 50


class Pairs(NamedTuple):
    """B sentence pairs.

    Attributes:
        x: (B, N, D) states of the first sentences, a leaf of the graph of gradients.
        y: (B, N, D) states of the second sentences, likewise.
        a: (B, N) weights of the first sentences: uniform, 0 on padding.
        b: (B, N) weights of the second sentences, likewise.
        lengths: the lengths of both sentences of each pair.
    """

    x: torch.Tensor
    y: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    lengths: list[tuple[int, int]]

    @property
    def valid(self) -> torch.Tensor:
        """(B, N, N) bool: whether neither of two words is padding."""
        return (self.a > 0).unsqueeze(2) & (self.b > 0).unsqueeze(1)


class Values(NamedTuple):
    """What a solver computes.

    Attributes:
        loss: (B,) the value to differentiate.
        compared: (B,) the value in which solvers of the same objective must agree.
    """

    loss: torch.Tensor
    compared: torch.Tensor

    @classmethod
    def same(cls, values: torch.Tensor) -> Values:
        """The same values for both."""
        return cls(values, values)


class Solver(NamedTuple):
    """One solver. It must agree with the first solver of its objective.

    Attributes:
        objective: the name of the objective.
        values: computes the values of some pairs.
        tolerance: largest relative error of the values, in norm; that of the gradient may be 1000
            times as large.
        same_gradient: whether the gradient must agree too.
    """

    objective: str
    values: Callable[[Pairs], Values]
    tolerance: float = 1e-5
    same_gradient: bool = True


class Size(NamedTuple):
    """The size of a problem.

    Attributes:
        pairs: number of sentence pairs.
        shortest: smallest number of words in a sentence.
        longest: largest number of words in a sentence.
        dim: dimension of the states.
    """

    pairs: int
    shortest: int
    longest: int
    dim: int

    def __str__(self) -> str:
        return f"{self.pairs} pairs, {self.shortest} to {self.longest} words, {self.dim} dimensions"


def sizes(quick: bool) -> list[Size]:
    """The size for which targets are stated, then sizes that each differ from it in one respect."""
    if quick:
        return [Size(8, 5, 20, 64), Size(16, 5, 20, 64)]
    stated = Size(64, 10, 60, 768)
    changes = [dict(pairs=16), dict(pairs=256), dict(shortest=5, longest=30)]
    changes += [dict(shortest=10, longest=120), dict(dim=256), dict(dim=1024)]
    return [stated] + [stated._replace(**change) for change in changes]


def pairs_of(size: Size, device: str) -> Pairs:
    """Pairs of sentences of uniformly random lengths, padded to the longest possible length.

    The states of the i-th words of a pair have an expected cosine of 0.5, all others of 0.
    """
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    lengths = rng.integers(size.shortest, size.longest + 1, (size.pairs, 2))
    meaning = torch.randn(size.pairs, size.longest, size.dim)
    x, y = ((meaning + torch.randn_like(meaning)).to(device).requires_grad_() for _ in range(2))
    masks = torch.arange(size.longest) < torch.from_numpy(lengths.T).unsqueeze(2)
    a, b = uniform_weights(masks[0]).to(device), uniform_weights(masks[1]).to(device)
    return Pairs(x, y, a, b, [(int(n), int(m)) for n, m in lengths])


def ours_sinkhorn(pairs: Pairs, **how: str) -> Values:
    """Our ``sinkhorn``; the cosine cost is at most 2."""
    cost = cosine_cost(pairs.x, pairs.y, pairs.valid)
    settings = dict(epsilon=EPSILON, iterations=ITERATIONS, max_cost=2.0)
    value = sinkhorn(cost, pairs.a, pairs.b, **settings, **how).cost
    return Values.same(value)


def ours_exact(pairs: Pairs) -> Values:
    """Our ``exact_transport``, which calls POT's network simplex."""
    value = exact_transport(cosine_cost(pairs.x, pairs.y, pairs.valid), pairs.a, pairs.b).cost
    return Values.same(value)


def ours_divergence(pairs: Pairs) -> Values:
    """Our ``sinkhorn_divergence``, with the defaults of GeomLoss."""
    value = sinkhorn_divergence(pairs.x, pairs.y, pairs.a, pairs.b)
    return Values.same(value)


def cosine(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The cost as users of other libraries write it: (..., S, D), (..., T, D) -> (..., S, T)."""
    x, y = (F.normalize(states, dim=-1, eps=1e-5) for states in (x, y))
    return 1 - x @ y.transpose(-1, -2)


def one_by_one(pairs: Pairs) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yields the states and weights of each pair, without padding."""
    rows = zip(*(tensor.unbind() for tensor in pairs[:4]), pairs.lengths)
    for x, y, a, b, (n, m) in rows:
        yield x[:n], y[:m], a[:n], b[:m]


def pot_loop(pairs: Pairs) -> Values:
    """``ot.sinkhorn`` on each pair, differentiated through its iterations."""
    values = []
    for x, y, a, b in one_by_one(pairs):
        cost = cosine(x, y)
        settings = dict(method="sinkhorn_log", numItermax=ITERATIONS, stopThr=0, warn=False)
        values.append((ot.sinkhorn(a, b, cost, EPSILON, **settings) * cost).sum())
    return Values.same(torch.stack(values))


def pot_envelope_loop(pairs: Pairs) -> Values:
    """``ot.solve`` on each pair, with the gradient of the envelope theorem."""
    results = [
        ot.solve(cosine(x, y), a, b, EPSILON, max_iter=ITERATIONS, tol=0, grad="envelope")
        for x, y, a, b in one_by_one(pairs)
    ]
    values = torch.stack([result.value for result in results])
    return Values(values, torch.stack([result.value_linear for result in results]))


def pot_batch(pairs: Pairs, method: str) -> Values:
    """``ot.solve_batch`` on the transposed problems.

    They are transposed because it updates the rows first, while the other solvers update the
    columns first. The tolerance of 0 is never reached, so that all iterations run.
    """
    cost = cosine(pairs.y, pairs.x)
    settings = dict(max_iter=ITERATIONS, tol=0, method=method, grad="envelope")
    result = ot.solve_batch(cost, EPSILON, pairs.b, pairs.a, **settings)
    return Values(result.value, result.value_linear)


def pot_exact_loop(pairs: Pairs) -> Values:
    """``ot.emd2`` on each pair."""
    values = [ot.emd2(a, b, cosine(x, y)) for x, y, a, b in one_by_one(pairs)]
    return Values.same(torch.stack(values))


def ipot(pairs: Pairs) -> Values:
    """IPOT, the proximal point method of Xie et al. 2020 (arXiv 1802.04307, algorithm 1).

    The settings are those of UNITER (Chen et al. 2020): beta is 0.5, there is one inner iteration,
    and the plan is a constant for the gradient.
    """
    cost = cosine(pairs.x, pairs.y)
    with torch.no_grad():
        valid = (pairs.a > 0).unsqueeze(2) & (pairs.b > 0).unsqueeze(1)
        kernel = torch.exp(-cost / 0.5).masked_fill(~valid, 0)
        a, b = pairs.a.unsqueeze(2), pairs.b.unsqueeze(2)
        tiny = torch.finfo(cost.dtype).tiny
        plan, v = valid.to(cost), b
        for _ in range(ITERATIONS):
            proximal = kernel * plan
            u = a / (proximal @ v).clamp_min(tiny)
            v = b / (proximal.transpose(1, 2) @ u).clamp_min(tiny)
            plan = u * proximal * v.transpose(1, 2)
    value = (plan * cost).sum(dim=(1, 2))
    return Values.same(value)


def geomloss_loop(pairs: Pairs) -> Values:
    """``SamplesLoss`` on each pair."""
    from geomloss import SamplesLoss

    loss = SamplesLoss("sinkhorn")
    values = torch.stack([loss(a, x, b, y) for x, y, a, b in one_by_one(pairs)])
    return Values.same(values)


def geomloss_batch(pairs: Pairs) -> Values:
    """``SamplesLoss`` on all pairs; its schedule depends on the diameter of the whole batch."""
    from geomloss import SamplesLoss

    values = SamplesLoss("sinkhorn")(pairs.a, pairs.x, pairs.b, pairs.y)
    return Values.same(values)


OURS = "sinkhorn"
UNROLLED = "sinkhorn, unrolled"
TRITON = "sinkhorn, Triton kernel"
LOOP = "POT's loop, unrolled"
ENVELOPE_LOOP = "POT's loop, envelope"
BATCH = "POT's batch solver"
EXPONENTIAL_BATCH = "POT's batch solver, exponential domain"
EMD = "exact_transport"
EMD_LOOP = "POT's exact loop"
IPOT = "UNITER's IPOT"
DIVERGENCE = "sinkhorn_divergence"
GEOMLOSS_LOOP = "GeomLoss's loop"
GEOMLOSS_BATCH = "GeomLoss, batched"

RATIOS = (
    (LOOP, OURS, "at least 12 on CPU, 100 on GPU"),
    (LOOP, TRITON, "at least 100 on GPU"),
    (BATCH, OURS, "at least 2.5 on CPU"),
    (ENVELOPE_LOOP, OURS, ""),
    (EXPONENTIAL_BATCH, OURS, ""),
    (IPOT, OURS, ""),
    (LOOP, UNROLLED, ""),
    (EMD_LOOP, EMD, ""),
    (GEOMLOSS_LOOP, DIVERGENCE, ""),
    (GEOMLOSS_BATCH, DIVERGENCE, ""),
)


def solvers(device: str) -> dict[str, Solver]:
    """The solvers that can run on this device, by name."""
    regularized, exact, divergence = "entropic", "exact", "debiased divergence"
    chosen = {
        LOOP: Solver(regularized, pot_loop),
        UNROLLED: Solver(regularized, lambda pairs: ours_sinkhorn(pairs, gradient="unrolled")),
        ENVELOPE_LOOP: Solver("entropic, envelope", pot_envelope_loop),
        BATCH: Solver("entropic, envelope", lambda pairs: pot_batch(pairs, "log_sinkhorn")),
        OURS: Solver("entropic, envelope", ours_sinkhorn),
        EMD_LOOP: Solver(exact, pot_exact_loop),
        EMD: Solver(exact, ours_exact),
        IPOT: Solver(exact, ipot, tolerance=0.02, same_gradient=False),
    }
    if device == "cpu":  # on a GPU POT 0.9.7 allocates its scalings on the CPU, and fails
        chosen[EXPONENTIAL_BATCH] = Solver(
            "entropic, envelope", lambda pairs: pot_batch(pairs, "sinkhorn")
        )
    elif importlib.util.find_spec("triton"):  # without it ours takes torch's operations
        chosen[TRITON] = Solver(
            "entropic, envelope", lambda pairs: ours_sinkhorn(pairs, kernel="triton")
        )
    if importlib.util.find_spec("geomloss"):
        chosen[GEOMLOSS_LOOP] = Solver(divergence, geomloss_loop)
        chosen[GEOMLOSS_BATCH] = Solver(divergence, geomloss_batch, 0.02, same_gradient=False)
    chosen[DIVERGENCE] = Solver(divergence, ours_divergence)
    return chosen
