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

_MOVED_TOGETHER = 200_000  # examples
_SUMMED_TOGETHER = 20_000  # buckets


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
    updates = _updates(draws, buckets, mixed=size.direct)
    if size.micro_batches is not None:
        return EpochPlan(updates, world, -(-size.micro_batches // world), limits.max_tokens)
    ends, firsts = micro_batch_ends(draws, buckets, limits, world)
    pairs = np.add.reduceat(_is_pair(updates, buckets), ends[:-1], dtype=np.int64)
    updates = updates._replace(ends=ends, firsts=firsts, pairs=pairs)
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
        indices.append(source.indices[draws.chosen])
        tables.append(_sums(draws, begins))
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


def _updates(draws: Sequence[Draws], buckets: Buckets, *, mixed: bool) -> Updates:
    """Puts the drawn examples where their buckets are, one micro-batch for each bucket.

    Args:
        draws: the draws of each corpus.
        buckets: the buckets.
        mixed: spread the pairs of a bucket evenly among its sentences, so that every part of it has
            both by their share; otherwise the sentences come first.
    """
    sizes = np.diff(buckets.ends)
    update_of = np.repeat(np.arange(len(buckets.updates) - 1), np.diff(buckets.updates))
    counts = np.zeros((len(buckets.updates) - 1, 4), dtype=np.int64)
    kinds = np.zeros((2, len(sizes)), dtype=np.int64)
    for one, taken in buckets.takes(draws):
        kinds[int(one.source.parallel), buckets.ascending] += taken
    dtype = np.result_type(*(one.source.indices.dtype for one in draws))
    indices = np.empty(buckets.ends[-1], dtype)
    placed = np.zeros((2, len(sizes)), dtype=np.int64)
    for one, taken in buckets.takes(draws):
        kind = int(one.source.parallel)
        ends = np.cumsum(taken)
        begins = ends - taken
        filled = np.flatnonzero(taken)
        sums = _sums(one, begins[filled])
        np.add.at(counts, update_of[buckets.ascending[filled]], sums)
        sources = one.source.indices
        cuts = np.searchsorted(ends, np.arange(0, len(one), _MOVED_TOGETHER), side="right")
        for low, high in zip(cuts, [*cuts[1:], len(ends)]):
            bucket = np.repeat(buckets.ascending[low:high], taken[low:high])
            first = int(begins[low])
            chosen = one.chosen[first : first + len(bucket)]
            number = np.arange(first, first + len(bucket))
            number -= np.repeat(begins[low:high], taken[low:high])
            number += placed[kind, bucket]
            at = _place(number, kinds[0, bucket], kinds[1, bucket], kind, mixed)
            indices[at + buckets.ends[bucket]] = sources[chosen]
        placed[kind, buckets.ascending] += taken
    return Updates(indices, buckets.ends, buckets.updates, kinds[1], counts)


def _place(
    number: np.ndarray, sentences: np.ndarray, pairs: np.ndarray, kind: int, mixed: bool
) -> np.ndarray:
    """Returns the position in its bucket of the ``number``-th sentence (``kind`` 0) or pair (1) of
    a bucket with so many sentences and pairs."""
    if not mixed:
        return number + sentences if kind else number
    size = sentences + pairs
    if kind:
        return -(-(number + 1) * size // np.maximum(pairs, 1)) - 1
    return number * size // np.maximum(sentences, 1)


def _is_pair(updates: Updates, buckets: Buckets) -> np.ndarray:
    """Returns (N,) bool, True where an example of mixed buckets is a pair."""
    sizes = np.diff(buckets.ends)
    number = np.arange(buckets.ends[-1]) - np.repeat(buckets.ends[:-1], sizes)
    pairs, size = np.repeat(updates.pairs, sizes), np.repeat(sizes, sizes)
    return (number + 1) * pairs // size > number * pairs // size


def _sums(draws: Draws, begins: np.ndarray) -> np.ndarray:
    """Sums counts over parts of the draws.

    Args:
        draws: the draws of a corpus.
        begins: (P,) where the parts begin.

    Returns:
        (P, 4) int64: tokens that sentences predict, and pairs; points; and links.
    """
    source = draws.source
    sums = np.zeros((len(begins), 4), dtype=np.int64)
    columns = [(int(source.parallel), source.predicted_counts)]
    if source.point_and_link_counts is not None:
        columns += enumerate(source.point_and_link_counts.T, start=2)
    for column, counts in columns:
        for low in range(0, len(begins), _SUMMED_TOGETHER):
            part = begins[low : low + _SUMMED_TOGETHER]
            end = begins[low + len(part)] if low + len(part) < len(begins) else len(draws)
            values = counts[draws.chosen[part[0] : end]]
            sums[low : low + len(part), column] = np.add.reduceat(
                values, part - part[0], dtype=np.int64
            )
    return sums
