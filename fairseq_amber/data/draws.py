"""The examples of a corpus that an epoch draws, in the order of their cost."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Source(Protocol):
    """The indices, costs and counts of the usable examples of a corpus, which the sampler reads.

    Attributes:
        parallel: whether the examples are sentence pairs.
        size: number of examples.
    """

    parallel: bool
    size: int

    @property
    def indices(self) -> np.ndarray:
        """(size,) indices of the examples in the dataset."""

    @property
    def costs(self) -> np.ndarray:
        """(size,) tokens of each example over all its rows, special tokens included."""

    def predicted_counts(self, indices: np.ndarray) -> np.ndarray:
        """Returns how many tokens these examples predict: (n,) indices in the dataset -> (n,)."""

    def point_and_link_counts(self, indices: np.ndarray) -> np.ndarray | None:
        """Returns (n, 2), how many points of the target and word links these examples have; None
        if no term needs them."""


class ExampleSource:
    """A ``Source`` of all examples of a dataset, of one kind of text and without predicted tokens.

    Args:
        costs: (size,) tokens of each example.
    """

    parallel = False

    def __init__(self, costs: np.ndarray):
        self.size = len(costs)
        self.indices = np.arange(len(costs), dtype=np.int32)
        self.costs = costs

    def predicted_counts(self, indices: np.ndarray) -> np.ndarray:
        """Returns zeros: (n,) -> (n,)."""
        return np.zeros_like(indices)

    def point_and_link_counts(self, indices: np.ndarray) -> None:
        """Returns None."""


class Draws:
    """Examples that are drawn from a source, in ascending order of cost.

    Whole copies of all examples are drawn, then distinct random examples for the rest. Examples of
    equal cost come in random order, so that batches differ from epoch to epoch.

    Args:
        source: the corpus.
        count: how many examples to draw.
        rng: makes the random choice; without it, examples of equal cost keep their order.

    Attributes:
        source: the corpus.
        indices: (count,) the examples that are drawn, by their indices in the dataset.
        levels: (L,) int64 distinct costs, ascending.
        ends: (L,) int64, how many draws have at most this cost.
    """

    def __init__(self, source: Source, count: int, rng: np.random.Generator | None = None):
        self.source = source
        chosen = _resample(source.size, count, rng)
        costs, indices = source.costs[chosen], source.indices[chosen]
        counts = np.bincount(costs)
        self.levels = np.flatnonzero(counts)
        self.ends = np.cumsum(counts[self.levels])
        # NumPy sorts 16 bits by counting, several times as fast as more of them.
        costs = costs.astype(np.uint16 if len(counts) <= 2**16 else np.uint32)
        self.indices = indices[np.argsort(costs, kind="stable")]
        if rng is not None:
            for start, end in zip([0, *self.ends[:-1]], self.ends):
                rng.shuffle(self.indices[start:end])

    def __len__(self) -> int:
        return len(self.indices)

    def cost(self, ranks: np.ndarray) -> np.ndarray:
        """Returns the costs of the draws at these ranks, from 0: (n,) -> (n,) int64."""
        return self.levels[np.searchsorted(self.ends, ranks, side="right")]


def _resample(size: int, draws: int, rng: np.random.Generator | None) -> np.ndarray:
    """Returns (draws,) uint32 examples: whole copies of all, then distinct random examples for the
    rest."""
    chosen = np.arange(draws, dtype=np.uint32)
    chosen %= np.uint32(size)
    rest = draws % size
    if rest and rng is not None:
        chosen[draws - rest :] = _subset(size, rest, rng)
    return chosen


def _subset(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns ``count`` distinct numbers below ``size`` in ascending order, every set of so many
    with the same probability."""
    # As many as a coin for each number gives, which is nearly the count: then few are put right.
    taken = rng.random(size, dtype=np.float32) < count / size
    excess = int(taken.sum()) - count
    other = np.flatnonzero(taken if excess > 0 else ~taken)
    taken[rng.choice(other, abs(excess), replace=False, shuffle=False)] = excess < 0
    return np.flatnonzero(taken)
