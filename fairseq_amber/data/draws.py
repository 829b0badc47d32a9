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

    @property
    def predicted_counts(self) -> np.ndarray:
        """(size,) how many tokens each example predicts."""

    @property
    def point_and_link_counts(self) -> np.ndarray | None:
        """(size, 2) how many points of the target and word links each example has; None if no
        term needs them."""


class ExampleSource:
    """A ``Source`` of all examples of a dataset, of one kind of text and without predicted tokens.

    Args:
        costs: (size,) tokens of each example.
    """

    parallel = False
    point_and_link_counts = None

    def __init__(self, costs: np.ndarray):
        self.size = len(costs)
        self.indices = np.arange(len(costs), dtype=np.int32)
        self.costs = costs
        self.predicted_counts = np.zeros_like(costs)


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
        chosen: (count,) uint32, the examples that are drawn, as positions in the source.
        levels: (L,) int64 distinct costs, ascending.
        ends: (L,) int64, how many draws have at most this cost.
    """

    def __init__(self, source: Source, count: int, rng: np.random.Generator | None = None):
        self.source = source
        chosen = _resample(source.size, count, rng)
        # One number holds cost and example: sorting it in place takes half the memory of argsort.
        keys = source.costs[chosen].astype(np.uint64)
        keys <<= np.uint64(32)
        keys |= chosen
        keys.sort()
        self.chosen = keys.astype(np.uint32)  # the low half
        keys >>= np.uint64(32)
        self.ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, count)
        self.levels = keys[self.ends - 1].astype(np.int64)
        if rng is not None:
            for start, end in zip([0, *self.ends[:-1]], self.ends):
                rng.shuffle(self.chosen[start:end])

    def __len__(self) -> int:
        return len(self.chosen)

    def cost(self, ranks: np.ndarray) -> np.ndarray:
        """Returns the costs of the draws at these ranks, from 0: (n,) -> (n,) int64."""
        return self.levels[np.searchsorted(self.ends, ranks, side="right")]


def _resample(size: int, draws: int, rng: np.random.Generator | None) -> np.ndarray:
    """Returns (draws,) examples: whole copies of all, then distinct random examples for the
    rest."""
    chosen = np.arange(draws, dtype=np.uint32)
    chosen %= np.uint32(size)
    rest = draws % size
    if rest and rng is not None:
        extra = np.arange(size, dtype=np.uint32)
        rng.shuffle(extra)
        chosen[draws - rest :] = extra[:rest]
    return chosen
