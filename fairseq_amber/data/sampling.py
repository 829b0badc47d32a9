"""Samples an epoch: which examples of each corpus are drawn, and in which updates.

Nothing here runs Python code for each example. All randomness is a function of (seed, epoch).
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.buckets import Buckets
from fairseq_amber.data.draws import Draws, Source
from fairseq_amber.data.plan import EpochPlan, Updates
from fairseq_amber.data.update_cut import micro_batch_ends
from fairseq_amber.data.update_size import UpdateSize

_TOGETHER = 200_000  # examples, so that no array for all of them is made


def plan_epoch(
    sources: Sequence[Source],
    limits: BatchLimits,
    size: UpdateSize,
    *,
    alpha: float,
    parallel_share: float,
    world: int,
    seed: Sequence[int],
) -> EpochPlan:
    """Plans the updates of a training epoch, and cuts them into micro-batches.

    The updates are a function of the sources, the size, ``alpha``, the share and the seed. The
    number of ranks has no influence on them.

    Each of the two kinds of text, sentences and pairs, is resampled: a corpus with a share p of the
    examples gets the share ``p^alpha / sum p^alpha``, by repeating or leaving out random examples.
    If there are both kinds, the epoch is one pass over the resampled pairs, and pairs make up
    ``parallel_share`` of the examples. Every update has every corpus by its share, up to one or two
    examples (``data.apportion``).

    Args:
        sources: corpora, none of them empty.
        limits: how large a micro-batch may be.
        size: how large an update is.
        alpha: exponent of the sampling. 1 keeps the corpora's proportions, 0 makes them equal.
        parallel_share: share of the examples that are pairs, 0 < share < 1; it has no effect on
            one kind alone.
        world: number of ranks.
        seed: the numbers that all randomness depends on.
    """
    draws = _drawn(sources, alpha, parallel_share, seed)
    buckets = size.buckets(draws, limits, (*seed, 2))
    updates = _updates(draws, buckets)
    if size.micro_batches is not None:
        updates = updates._replace(links=_links(sources, updates))
        return EpochPlan(updates, world, -(-size.micro_batches // world), limits.max_tokens)
    _interleave(updates, buckets)
    ends, firsts = micro_batch_ends(draws, buckets, limits, world)
    pairs = np.diff(_pairs_before(ends, buckets, updates.pairs))
    updates = updates._replace(ends=ends, firsts=firsts, pairs=pairs)
    updates = updates._replace(links=_links(sources, updates))
    update_freq = int(-(-np.diff(firsts).max() // world))
    return EpochPlan(updates, world, update_freq, limits.max_tokens)


def plan_validation(sources: Sequence[Source], limits: BatchLimits, *, world: int) -> EpochPlan:
    """Plans one pass over all examples. A micro-batch has examples of one corpus and of similar
    length, and each step is an update of its own."""
    indices, ends, pairs, tables = [], [np.zeros(1, dtype=np.int64)], [], []
    for source in sorted(sources, key=lambda one: one.parallel):
        draws = Draws(source, source.size)
        own = limits.cut(limits.largest(draws.levels), draws.ends)
        begins = np.concatenate([[0], own[:-1]])
        ends.append(own + ends[-1][-1])
        pairs.append(np.diff(own, prepend=0) * source.parallel)
        indices.append(draws.indices)
        tables.append(_counts(source, draws.indices, begins))
    counts = np.concatenate(tables)
    firsts = np.append(np.arange(0, len(counts), world), len(counts))
    per_update = np.add.reduceat(counts, firsts[:-1], axis=0)
    updates = Updates(
        np.concatenate(indices), np.concatenate(ends), firsts, np.concatenate(pairs), per_update
    )
    return EpochPlan(updates, world, 1, limits.max_tokens)


def resampled_sizes(sizes: np.ndarray, alpha: float, total: int | None = None) -> np.ndarray:
    """Returns how many examples of each corpus to draw, at least one: (C,) -> (C,) int64. The
    shares are ``p^alpha / sum p^alpha`` with ``p = size / sum of sizes``, and the sum is about
    ``total``, by default the sum of the sizes."""
    weights = (sizes / sizes.sum()) ** alpha
    total = sizes.sum() if total is None else total
    return np.maximum(np.round(weights / weights.sum() * total), 1).astype(np.int64)


def _drawn(
    sources: Sequence[Source], alpha: float, parallel_share: float, seed: Sequence[int]
) -> list[Draws]:
    """Draws the examples of an epoch: sentences, then pairs."""
    mono, pairs = ([s for s in sources if s.parallel is kind] for kind in (False, True))
    counts: list[int] = []
    pair_counts = np.zeros(0, dtype=np.int64)
    if pairs:
        pair_counts = resampled_sizes(np.array([s.size for s in pairs]), alpha)
    if mono:
        total = None
        if pairs:
            total = max(1, round(int(pair_counts.sum()) * (1 - parallel_share) / parallel_share))
        counts += resampled_sizes(np.array([s.size for s in mono]), alpha, total).tolist()
    counts += pair_counts.tolist()
    return [
        Draws(source, count, np.random.default_rng([*seed, 1, number]))
        for number, (source, count) in enumerate(zip((*mono, *pairs), counts))
    ]


def _updates(draws: Sequence[Draws], buckets: Buckets) -> Updates:
    """Puts the drawn examples where their buckets are, the sentences of a bucket before its pairs,
    with one micro-batch for each bucket."""
    update_of = np.repeat(np.arange(len(buckets.updates) - 1), np.diff(buckets.updates))
    counts = np.zeros((len(buckets.updates) - 1, 4), dtype=np.int64)
    indices = np.empty(buckets.ends[-1], np.result_type(*(one.indices.dtype for one in draws)))
    pairs = np.zeros(len(update_of), dtype=np.int64)
    for one, taken in buckets.takes(draws):
        if one.source.parallel:
            pairs[buckets.ascending] += taken
    free = [buckets.ends[:-1].copy(), buckets.ends[1:] - pairs]  # for sentences, and for pairs
    for one, taken in buckets.takes(draws):
        bucket = buckets.ascending[taken > 0]
        taken = taken[taken > 0]
        begins = np.cumsum(taken) - taken
        shift = free[one.source.parallel][bucket] - begins
        free[one.source.parallel][bucket] += taken
        cuts = _groups(begins, len(one))
        for low, high in zip(cuts, [*cuts[1:], len(begins)]):
            first, held = begins[low], taken[low:high]
            moved = one.indices[first : first + held.sum()]
            at = np.arange(first, first + len(moved))
            at += np.repeat(shift[low:high], held)
            indices[at] = moved
            sums = _counts(one.source, moved, begins[low:high] - first)
            np.add.at(counts, update_of[bucket[low:high]], sums)
    return Updates(indices, buckets.ends, buckets.updates, pairs, counts)


def _groups(begins: np.ndarray, total: int) -> np.ndarray:
    """Groups buckets so that one group has about ``_TOGETHER`` examples.

    Args:
        begins: (I,) where the buckets begin among ``total`` examples, from 0.

    Returns:
        The number of each group's first bucket.
    """
    return np.unique(np.searchsorted(begins, np.arange(0, total, _TOGETHER), side="right") - 1)


def _interleave(updates: Updates, buckets: Buckets) -> None:
    """Spreads the pairs of each bucket evenly among its sentences, in place, so that every part of
    a bucket has both by their share."""
    if not 0 < updates.pairs.sum() < buckets.ends[-1]:
        return
    sizes = np.diff(buckets.ends)
    starts, pairs = buckets.ends[:-1], updates.pairs
    cuts = _groups(starts, buckets.ends[-1])
    for low, high in zip(cuts, [*cuts[1:], len(sizes)]):
        held = sizes[low:high]
        number = np.arange(starts[low], starts[low] + held.sum())
        number -= np.repeat(starts[low:high], held)
        size, share = np.repeat(held, held), np.repeat(pairs[low:high], held)
        before = number >= size - share
        after = (number + 1) * share // size > number * share // size
        part = updates.indices[starts[low] : starts[low] + len(number)]
        of_pairs = part[before]
        part[~after] = part[~before]
        part[after] = of_pairs


def _pairs_before(ends: np.ndarray, buckets: Buckets, pairs: np.ndarray) -> np.ndarray:
    """Returns how many pairs come before each of these positions after ``_interleave``.

    Args:
        ends: (B + 1,) positions among the examples of the epoch.
        buckets: the I buckets.
        pairs: (I,) how many pairs each bucket has.
    """
    bucket = np.searchsorted(buckets.ends[1:-1], ends, side="right")
    before = np.concatenate([[0], np.cumsum(pairs)])[bucket]
    return before + (ends - buckets.ends[bucket]) * pairs[bucket] // np.diff(buckets.ends)[bucket]


def _links(sources: Sequence[Source], updates: Updates) -> np.ndarray | None:
    """Counts the word links of each of the B micro-batches: (B,) int64; None if no term needs
    them."""
    firsts = np.array([source.indices[0] for source in sources])
    order = np.argsort(firsts)
    ordered = [sources[number] for number in order]
    if all(s.point_and_link_counts(s.indices[:0]) is None for s in ordered):
        return None
    links = np.zeros(len(updates.ends) - 1, dtype=np.int64)
    cuts = _groups(updates.ends[:-1], updates.ends[-1])
    for low, high in zip(cuts, [*cuts[1:], len(links)]):
        begins = updates.ends[low:high] - updates.ends[low]
        indices = updates.indices[updates.ends[low] : updates.ends[high]]
        of_source = np.searchsorted(firsts[order], indices, side="right") - 1
        counts = np.zeros(len(indices), dtype=np.int64)
        for number, source in enumerate(ordered):
            own = of_source == number
            found = source.point_and_link_counts(indices[own])
            counts[own] = 0 if found is None else found[:, 1]
        links[low:high] = np.add.reduceat(counts, begins)
    return links


def _counts(source: Source, indices: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Sums counts over parts of a list of examples.

    Args:
        source: the corpus of the examples.
        indices: (n,) the examples.
        begins: (P,) where the parts begin.

    Returns:
        (P, 4) int64: tokens that sentences predict, and pairs; points; and links.
    """
    sums = np.zeros((len(begins), 4), dtype=np.int64)
    predicted = source.predicted_counts(indices)
    sums[:, int(source.parallel)] = np.add.reduceat(predicted, begins, dtype=np.int64)
    points_and_links = source.point_and_link_counts(indices)
    if points_and_links is not None:
        sums[:, 2:] = np.add.reduceat(points_and_links, begins, dtype=np.int64)
    return sums
