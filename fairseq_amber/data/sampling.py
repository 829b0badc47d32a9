"""Samples an epoch: how often examples of each corpus are drawn, in which batches and order.

Nothing here runs Python code for each example. All randomness is a function of (seed, epoch).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, Sequence

import numpy as np

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.plan import EpochPlan, Steps


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


def plan_epoch(
    sources: Sequence[Source],
    limits: BatchLimits,
    *,
    alpha: float,
    parallel_share: float,
    world: int,
    update_freq: int,
    seed: Sequence[int],
) -> EpochPlan:
    """Plans the micro-batches of a training epoch. A step has one for each rank, all of one kind.

    Each of the two kinds of text, sentences and pairs, is resampled: a corpus with a share p of the
    examples gets the share ``p^alpha / sum p^alpha``, by repeating or leaving out random examples.
    If there are both kinds, the epoch is one pass over the resampled pairs; monolingual steps are
    spread evenly between them, so that pairs make up ``parallel_share`` of the steps.

    Args:
        sources: corpora, none of them empty.
        limits: how large a micro-batch may be.
        alpha: exponent of the sampling. 1 keeps the corpora's proportions, 0 makes them equal.
        parallel_share: share of the steps that train on pairs, 0 < share < 1; it has no effect on
            one kind alone.
        world: number of ranks.
        update_freq: number of micro-batches that a rank accumulates into one update.
        seed: the numbers that all randomness depends on.
    """
    mono, pairs = ([s for s in sources if s.parallel is kind] for kind in (False, True))
    mono_rng, pair_rng = (np.random.default_rng([*seed, kind]) for kind in (False, True))
    passes = [_sampled_pass(pairs, limits, alpha, world, pair_rng)] if pairs else []
    if mono:
        needed_steps = 1  # alone: one pass
        if pairs:
            needed_steps = max(1, round(passes[0].steps * (1 - parallel_share) / parallel_share))
        planned_steps = 0
        while planned_steps < needed_steps:
            mono_pass = _sampled_pass(mono, limits, alpha, world, mono_rng)
            passes.append(mono_pass.first(needed_steps - planned_steps) if pairs else mono_pass)
            planned_steps += mono_pass.steps
    return _assemble(passes, update_freq)


def plan_validation(sources: Sequence[Source], limits: BatchLimits, *, world: int) -> EpochPlan:
    """Plans one pass over all examples by length, in which each step is an update of its own."""
    passes = []
    for kind in (False, True):
        members = [s for s in sources if s.parallel is kind]
        if members:
            passes.append(_pass(members, [s.size for s in members], limits, world, None))
    return _assemble(passes, update_freq=1)


def resampled_sizes(sizes: np.ndarray, alpha: float) -> np.ndarray:
    """Returns how many examples of each corpus to draw, at least one: (C,) -> (C,) int64. The
    shares are ``p^alpha / sum p^alpha`` with ``p = size / sum of sizes``, and the sum stays about
    the same."""
    weights = (sizes / sizes.sum()) ** alpha
    return np.maximum(np.round(weights / weights.sum() * sizes.sum()), 1).astype(np.int64)


class _CorpusPass(NamedTuple):
    """One pass over the corpora of one kind.

    Attributes:
        indices: (N,) the examples that are drawn.
        table: the micro-batches, whose ``starts`` count from these ``indices``.
    """

    indices: np.ndarray
    table: Steps

    @property
    def steps(self) -> int:
        """The number of steps S."""
        return len(self.table.parallel)

    def first(self, steps: int) -> _CorpusPass:
        """Keeps the first ``steps`` steps."""
        return _CorpusPass(self.indices, Steps(*(column[:steps] for column in self.table)))


def _sampled_pass(sources, limits: BatchLimits, alpha: float, world: int, rng) -> _CorpusPass:
    """Makes one pass over the resampled corpora of one kind."""
    sizes = np.array([source.size for source in sources])
    return _pass(sources, resampled_sizes(sizes, alpha), limits, world, rng)


def _pass(
    sources: Sequence[Source],
    draws: Sequence[int] | np.ndarray,
    limits: BatchLimits,
    world: int,
    rng: np.random.Generator | None,
) -> _CorpusPass:
    """Draws ``draws[i]`` examples of source i and cuts them into batches, in random order if
    ``rng`` is given."""
    dtype = np.result_type(*(source.indices.dtype for source in sources))
    indices = np.empty(sum(map(int, draws)), dtype)
    starts, sizes, predicted_counts = [], [], []
    point_and_link_counts: list[np.ndarray] = []
    filled = 0
    for source, count in zip(sources, draws):
        chosen, ends = _batches(source.costs, int(count), limits, rng)
        begins = np.concatenate([[0], ends[:-1]])
        indices[filled : filled + len(chosen)] = source.indices[chosen]
        starts.append(begins + filled)
        sizes.append(ends - begins)
        predicted = source.predicted_counts[chosen]
        predicted_counts.append(np.add.reduceat(predicted, begins, dtype=np.int64))
        points_and_links = source.point_and_link_counts
        if points_and_links is None:
            sums = np.zeros((len(ends), 2), dtype=np.int64)
        else:
            sums = np.add.reduceat(points_and_links[chosen], begins, axis=0, dtype=np.int64)
        point_and_link_counts.append(sums)
        filled += len(chosen)
    table = (starts, sizes, predicted_counts, point_and_link_counts)
    columns = [np.concatenate(column) for column in table]
    count = len(columns[0])
    order = np.arange(count) if rng is None else rng.permutation(count)
    # A rank for which the last step has no batch repeats an example of that step's first batch.
    fillers = np.arange(-(-count // world) * world) >= count
    order = np.concatenate([order, np.repeat(order[(count - 1) // world * world], fillers.sum())])
    start, size, tokens, others = (
        column[order].reshape(-1, world, *column.shape[1:]) for column in columns
    )
    fillers = fillers.reshape(-1, world)
    size[fillers] = 1
    parallel = np.full(len(size), sources[0].parallel)
    return _CorpusPass(
        indices, Steps(start, size.astype(np.int32), tokens, fillers, parallel, others)
    )


def _batches(
    costs: np.ndarray, draws: int, limits: BatchLimits, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (draws,) examples that are drawn, batch by batch, and where each batch ends.

    Examples are in the order of their cost, and those of equal cost in random order. So batches
    have little padding, and differ from epoch to epoch.
    """
    chosen = _resample(len(costs), draws, rng)
    # One number holds cost and example: sorting it in place takes half the memory of an argsort.
    keys = costs[chosen].astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= chosen
    keys.sort()
    chosen = keys.astype(np.uint32)  # the low half
    keys >>= np.uint64(32)
    ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, draws)
    distinct = keys[ends - 1].astype(np.int64)
    if rng is not None:
        for start, end in zip([0, *ends[:-1]], ends):
            rng.shuffle(chosen[start:end])
    return chosen, limits.cut(distinct, ends)


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


def _assemble(passes: Sequence[_CorpusPass], update_freq: int) -> EpochPlan:
    """Joins all passes to one plan. The steps of each kind keep their order and are spread evenly
    over the epoch."""
    offsets = np.cumsum([0, *(len(one.indices) for one in passes)])
    tables = [
        one.table._replace(starts=one.table.starts + offset) for one, offset in zip(passes, offsets)
    ]
    steps = Steps(*(np.concatenate(columns) for columns in zip(*tables)))
    position = np.empty(len(steps.parallel))
    for kind in (False, True):
        members = steps.parallel == kind
        position[members] = (np.arange(members.sum()) + 0.5) / max(members.sum(), 1)
    order = np.lexsort((steps.parallel, position))
    indices = passes[0].indices if len(passes) == 1 else np.concatenate([p.indices for p in passes])
    return EpochPlan(indices, Steps(*(column[order] for column in steps)), update_freq)
