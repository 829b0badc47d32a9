"""Cuts updates whose size was stated directly into micro-batches for the ranks and steps there are.

Shapes: I buckets, U updates, B micro-batches.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.buckets import Buckets
from fairseq_amber.data.draws import Draws

_MOST = np.iinfo(np.int64).max


def micro_batch_ends(
    draws: Sequence[Draws], buckets: Buckets, limits: BatchLimits, world: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts every update into as many micro-batches of about equal cost as there are ranks and
    steps, with as few steps as the limits allow.

    Where equal parts would take more steps than micro-batches that are as large as the limits
    allow, the updates are cut into these.

    Args:
        draws: the draws of each corpus.
        buckets: the buckets.
        limits: the limits of a micro-batch.
        world: number of ranks.

    Returns:
        (B + 1,) int64, where the micro-batches end among the examples of the epoch; and (U + 1,)
        int64, the number of each update's first micro-batch, then B.
    """
    costs = _Costs.of(draws, buckets)
    most = _Most(limits.max_tokens or _MOST, limits.max_sentences or _MOST)
    filled = _filled(buckets, costs, most)
    of_filled = -(-int(np.diff(filled[1]).max()) // world)
    tokens = np.add.reduceat(costs.whole, buckets.updates[:-1])
    examples = np.diff(buckets.ends[buckets.updates])
    steps = -(-max(tokens.max() / most.tokens, examples.max() / most.examples) // world)
    for number in range(int(steps), of_filled + 1):
        equal = _equal(buckets, costs, most, number * world)
        if equal is not None:
            return equal
    return filled


class _Most(NamedTuple):
    """The largest numbers of tokens and of examples in a micro-batch."""

    tokens: int
    examples: int


class _Costs(NamedTuple):
    """Costs of each bucket in the order in which the buckets run, (I,) each.

    Attributes:
        whole: its cost, as ``bucket_costs``.
        example: the cost of an example where every sentence is as long as the longest one and every
            pair as the longest pair.
        dearest: the cost of the longest example.
        more: what a part of the bucket may cost beyond its examples, because its share of pairs is
            a whole number.
    """

    whole: np.ndarray
    example: np.ndarray
    dearest: np.ndarray
    more: np.ndarray

    @classmethod
    def of(cls, draws: Sequence[Draws], buckets: Buckets) -> _Costs:
        """Computes the costs of the buckets."""
        whole = np.zeros(len(buckets.ascending), dtype=np.int64)
        counts, longest = np.zeros((2, 2, len(whole)), dtype=np.int64)
        for one, taken in buckets.takes(draws):
            kind = int(one.source.parallel)
            most = one.cost(np.maximum(np.cumsum(taken) - 1, 0))
            whole += taken * most
            counts[kind] += taken
            np.maximum(longest[kind], np.where(taken > 0, most, 0), out=longest[kind])
        example = (counts * longest).sum(axis=0) / counts.sum(axis=0)
        more = np.where(counts.min(axis=0) > 0, np.abs(longest[1] - longest[0]), 0)
        back = np.argsort(buckets.ascending)
        return cls(whole[back], example[back], longest.max(axis=0)[back], more[back])


def _equal(
    buckets: Buckets, costs: _Costs, most: _Most, parts: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns what ``micro_batch_ends`` does, with so many micro-batches of about equal cost in
    each update, fewer where it has fewer examples; None if one exceeds the limits."""
    sizes = np.diff(buckets.ends)
    before = np.concatenate([[0], np.cumsum(costs.whole)])
    first, end = before[buckets.updates[:-1]], before[buckets.updates[1:]]
    targets = (first[:, None] + (end - first)[:, None] * np.arange(1, parts) / parts).ravel()
    bucket = np.clip(np.searchsorted(before, targets, side="right") - 1, 0, len(sizes) - 1)
    inside = (targets - before[bucket]) / costs.whole[bucket]
    starts = buckets.ends[bucket] + np.rint(inside * sizes[bucket]).astype(np.int64)
    ends = np.unique(np.concatenate([starts, buckets.ends[buckets.updates]]))
    # An upper bound: the whole buckets of a part, and of the buckets at its ends what so many
    # examples may cost, but no more than the bucket.
    at = np.searchsorted(buckets.ends, ends[:-1], side="right") - 1
    last = np.searchsorted(buckets.ends, ends[1:], side="left") - 1
    bound = (before[last] - before[at + 1]).astype(np.float64)
    for touched, held in (
        (at, np.minimum(ends[1:], buckets.ends[at + 1]) - ends[:-1]),
        (last, ends[1:] - np.maximum(ends[:-1], buckets.ends[last])),
    ):
        some = held * costs.example[touched] + costs.more[touched]
        bound += np.minimum(some, costs.whole[touched])
    one = np.minimum(np.diff(ends) * costs.example[at] + costs.more[at], costs.whole[at])
    bound = np.where(at == last, one, bound)
    counts = np.diff(ends)
    if ((bound > most.tokens) & (counts > 1)).any() or counts.max() > most.examples:
        return None
    return ends, np.searchsorted(ends, buckets.ends[buckets.updates])


def _filled(buckets: Buckets, costs: _Costs, most: _Most) -> tuple[np.ndarray, np.ndarray]:
    """Returns what ``micro_batch_ends`` does, with micro-batches as large as the limits allow:
    neighbouring buckets share one, and a bucket that exceeds the limits is cut into equal
    pieces."""
    sizes = np.diff(buckets.ends)
    # A piece has its share of sentences and of pairs up to one example.
    room = np.maximum((most.tokens - costs.more) // costs.example, 1)
    held = np.minimum(room, most.examples)
    large = (costs.whole > most.tokens) | (sizes > most.examples)
    pieces = np.where(large, -(-sizes // held), 1).astype(np.int64)
    bucket = np.repeat(np.arange(len(sizes)), pieces)
    piece = np.arange(len(bucket)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = buckets.ends[bucket] + piece * sizes[bucket] // pieces[bucket]
    counts = np.diff(starts, append=buckets.ends[-1])
    of_pieces = counts * costs.example[bucket] + costs.more[bucket]
    of_pieces = np.where(counts > 1, of_pieces, costs.dearest[bucket])
    piece_costs = np.where(large[bucket], of_pieces, costs.whole[bucket])
    first_of_update = np.zeros(len(bucket), dtype=bool)
    first_of_update[np.searchsorted(bucket, buckets.updates[:-1])] = True
    begins, tokens, examples = [], 0, 0
    rows = zip(piece_costs.tolist(), counts.tolist(), first_of_update.tolist())
    for number, (cost, count, first) in enumerate(rows):
        tokens, examples = tokens + cost, examples + count
        if first or tokens > most.tokens or examples > most.examples:
            begins.append(number)
            tokens, examples = cost, count
    ends = np.append(starts[begins], buckets.ends[-1])
    return ends, np.searchsorted(ends, buckets.ends[buckets.updates])
