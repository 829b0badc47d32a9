"""Cuts the draws of an epoch into buckets, and puts buckets together into updates.

A bucket holds examples of about the same length. Of every corpus it holds that corpus's share, from
the same quantile of the corpus's lengths: the shortest examples of all corpora are together, and so
are the longest. An update takes one random bucket from each of G strata of length, so that it holds
long and short examples, and every corpus by its share (``data.apportion``).
"""

from __future__ import annotations

from itertools import count
from typing import Iterator, NamedTuple, Sequence

import numpy as np

from fairseq_amber.data.apportion import apportion
from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.draws import Draws

_MOST_RUNS = 4096  # resolution of the costs along the quantiles
_KINDS = (False, True)


class Buckets(NamedTuple):
    """The I buckets of an epoch in the order in which they run.

    Attributes:
        ends: (I + 1,) int64, how many examples the first b buckets hold.
        ascending: (I,) int64, the numbers of the buckets from the shortest examples to the longest.
        updates: (U + 1,) int64, the number of each update's first bucket, then I.
    """

    ends: np.ndarray
    ascending: np.ndarray
    updates: np.ndarray

    def takes(self, draws: Sequence[Draws]) -> Iterator[tuple[Draws, np.ndarray]]:
        """Yields each corpus, in any order, with how many of its draws each bucket takes, (I,)
        int64 in the order of ``ascending``. A corpus gives its draws in ascending order of cost."""
        kinds = [[one for one in draws if one.source.parallel is kind] for kind in _KINDS]
        sizes = [sum(map(len, members)) for members in kinds]
        for kind, totals in apportion(self.ends, sizes):
            for number, counts in apportion(totals, list(map(len, kinds[kind]))):
                yield kinds[kind][number], np.diff(counts)[self.ascending]


def buckets_of_tokens(
    draws: Sequence[Draws], limits: BatchLimits, per_update: int, seed: Sequence[int]
) -> Buckets:
    """Cuts the draws into buckets that are as large as the limits allow.

    The cost of a bucket is the sum over the corpora of the number of its examples times the tokens
    of the longest one. A bucket of one example may cost more than ``max_tokens``.

    Args:
        draws: the draws of each corpus, sentences before pairs.
        limits: the limits of a bucket.
        per_update: the number G of buckets that make up an update; the last one may have fewer.
        seed: the numbers that the order of the buckets depends on.
    """
    ends, costs, spread = _costs_along_quantiles(draws)
    scale = np.ones(len(ends))
    for attempt in count():
        largest = np.minimum.accumulate(limits.largest(costs * scale, spread))
        sizes = np.diff(limits.cut(largest, ends), prepend=0)
        buckets = _arranged(sizes, per_update, np.random.default_rng(seed))
        if limits.max_tokens is None or len(draws) == 1:
            break
        # A bucket's real share of a corpus is a whole number, which may cost a little more.
        excess = bucket_costs(draws, buckets) / limits.max_tokens
        over = (excess > 1) & (sizes > 1)
        if not over.any():
            break
        runs = np.searchsorted(ends, np.cumsum(sizes)[over], side="left")
        # Each cut gives other buckets the larger share, so the runs near by are raised as well,
        # ever farther away: this ends soon even with many corpora.
        doublings = min(max(attempt - 4, 0), len(ends).bit_length())
        scale *= 1 + _raised(len(ends), runs, excess[over] - 0.97, doublings)
    return buckets


def buckets_of_examples(total: int, examples: int, per_update: int, seed: Sequence[int]) -> Buckets:
    """Cuts ``total`` examples into buckets, so that every update has exactly ``examples`` of them,
    but for the last update, which has the rest.

    Args:
        total: the number of examples of the epoch.
        examples: the number of examples of an update.
        per_update: the number G of buckets that make up an update, at most ``examples``.
        seed: the numbers that the order of the buckets depends on.
    """
    full, rest = divmod(total, examples)
    strata = np.arange(per_update + 1)
    of_full, of_rest = (np.diff(strata * n // per_update) for n in (examples, rest))
    sizes = np.concatenate([np.append(np.full(full, n), m) for n, m in zip(of_full, of_rest)])
    table = np.arange(len(sizes)).reshape(per_update, full + 1)
    rng = np.random.default_rng(seed)
    for stratum in table:
        rng.shuffle(stratum[:full])  # the rest of the stratum is for the last update
    order, update = table.T.ravel(), np.repeat(np.arange(full + 1), per_update)
    filled = sizes[order] > 0
    return _in_order(sizes, order[filled], update[filled])


def bucket_costs(draws: Sequence[Draws], buckets: Buckets) -> np.ndarray:
    """Returns (I,) int64, the cost of each bucket in the order of ``ascending``: for each corpus,
    the number of examples times the tokens of the longest one."""
    costs = np.zeros(len(buckets.ascending), dtype=np.int64)
    for one, taken in buckets.takes(draws):
        costs += taken * one.cost(np.maximum(np.cumsum(taken) - 1, 0))
    return costs


def _costs_along_quantiles(
    draws: Sequence[Draws],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Describes the cost of an example at every quantile, as R runs of equal cost.

    Returns:
        (R,) how many examples there are up to the end of each run; (R,) the mean cost of an example
        of the run, over all corpora by their share; (R,) the difference between the corpora that
        cost most and least, which a bucket may cost more because it holds whole examples.
    """
    total = sum(map(len, draws))
    ends = np.unique(np.concatenate([one.ends * total // len(one) for one in draws]))
    ends = ends[ends > 0]
    if len(ends) > _MOST_RUNS:
        ends = ends[np.linspace(0, len(ends) - 1, _MOST_RUNS).round().astype(int)]
    mean = np.zeros(len(ends))
    most, least = np.zeros(len(ends), dtype=int), np.full(len(ends), np.iinfo(int).max)
    for one in draws:
        costs = one.cost(-(-ends * len(one) // total) - 1)
        mean += costs * (len(one) / total)
        np.maximum(most, costs, out=most)
        np.minimum(least, costs, out=least)
    return ends, mean, most - least


def _raised(size: int, runs: np.ndarray, amounts: np.ndarray, doublings: int) -> np.ndarray:
    """Returns (size,): the amounts at their runs, and elsewhere a quarter of the largest amount at
    a run that is less than ``2 ** doublings`` runs away."""
    raised = np.zeros(size)
    np.maximum.at(raised, runs, amounts)
    near = raised / 4
    for distance in 2 ** np.arange(doublings):
        before = near.copy()
        near[distance:] = np.maximum(near[distance:], before[:-distance])
        near[:-distance] = np.maximum(near[:-distance], before[distance:])
    return np.maximum(raised, near)


def _arranged(sizes: np.ndarray, per_update: int, rng: np.random.Generator) -> Buckets:
    """Puts buckets with these sizes, given from the shortest examples to the longest, into random
    updates, each with one of every stratum. Where a bucket is an update, the last one, which has
    what the others left, comes at the end."""
    strata = np.array_split(np.arange(len(sizes)), per_update)
    table = np.full((len(strata[0]), per_update), -1)
    for column, stratum in zip(table.T, strata):
        moved = stratum[:-1] if per_update == 1 else stratum
        column[: len(stratum)] = stratum
        column[: len(moved)] = rng.permutation(moved)
    update, column = np.nonzero(table >= 0)
    return _in_order(sizes, table[update, column], update)


def _in_order(sizes: np.ndarray, order: np.ndarray, update: np.ndarray) -> Buckets:
    """Makes buckets from their sizes, the order in which they run, and the update of each in this
    order."""
    ascending = np.argsort(order)
    ends = np.concatenate([[0], np.cumsum(sizes[order])])
    updates = np.append(np.flatnonzero(np.diff(update, prepend=-1)), len(order))
    return Buckets(ends, ascending, updates)
