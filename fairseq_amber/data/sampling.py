"""An epoch's micro-batches: which examples, in which order, and what normalises their terms.

Every rank makes the same plan from (seed, epoch, data, config) and takes every ``world``-th
micro-batch of it, as fairseq's sharding does. The plan therefore knows each whole update, over all
ranks and accumulated micro-batches, before it begins: the counts that normalise the terms come
from here, exact and without communication.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

import numpy as np
from fairseq.data import data_utils


class Normalizers(NamedTuple):
    """Counts over one update: all ranks, all accumulated micro-batches.

    micro_batches: how many make up the update. mlm_tokens, tlm_tokens: predicted tokens of
    monolingual sentences and of pairs. pairs: sentence pairs. step_pairs: the most pairs that any
    rank holds at this micro-batch's step.
    """

    micro_batches: int
    mlm_tokens: int
    tlm_tokens: int
    pairs: int
    step_pairs: int


class MicroBatch:
    """Examples of one corpus that one rank runs at one step.

    Iterating gives ``(index, micro-batch)``, so that the dataset learns of the update that an
    example belongs to. A filler repeats an example for a rank that would otherwise have none at
    this step; it runs like any other and counts for nothing.
    """

    __slots__ = ("indices", "parallel", "filler", "normalizers")

    def __init__(self, indices: np.ndarray, parallel: bool, filler: bool = False):
        self.indices = indices
        self.parallel = parallel
        self.filler = filler
        self.normalizers: Normalizers | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[int, MicroBatch]]:
        return ((int(index), self) for index in self.indices)


class Source(NamedTuple):
    """A corpus as the sampler sees it.

    indices: (N,) its examples in the dataset. costs: (N,) tokens of each example over all passes,
    special tokens included. predicted: (N,) tokens predicted in each.
    """

    parallel: bool
    indices: np.ndarray
    costs: np.ndarray
    predicted: np.ndarray


class BatchLimits(NamedTuple):
    """fairseq's ``--max-tokens``, ``--batch-size`` and ``--required-batch-size-multiple``."""

    max_tokens: int | None = None
    max_sentences: int | None = None
    multiple: int = 1


def plan_epoch(
    sources: Sequence[Source],
    limits: BatchLimits,
    *,
    alpha: float,
    parallel_share: float,
    world: int,
    update_freq: int,
    seed: Sequence[int],
) -> list[MicroBatch]:
    """The micro-batches of a training epoch, ``world`` to a step, all of a step of one kind.

    Within a kind, corpora are resampled: one with a share p of the examples gets the share
    ``p^alpha / sum p^alpha``, by repeating or leaving out random examples. Where both kinds are
    there, the epoch is one pass over the (resampled) pairs, and monolingual steps are spread
    evenly between them so that pairs make up ``parallel_share`` of the steps.

    Args:
        sources: non-empty corpora.
        limits: how large a micro-batch may be.
        alpha: exponent of the sampling; 1 keeps the corpora's proportions, 0 makes them equal.
        parallel_share: share of steps, 0 < share < 1, where there are corpora of both kinds.
        world: number of ranks.
        update_freq: micro-batches that a rank accumulates into one update.
        seed: what the randomness is a function of.
    """
    kinds = []
    for parallel in (False, True):
        members = [s for s in sources if s.parallel is parallel]
        if members:
            kinds.append((members, np.random.default_rng([*seed, parallel])))
    if len(kinds) == 1:
        members, rng = kinds[0]
        steps = _steps(members, limits, alpha, world, rng)
    else:
        (mono, mono_rng), (pairs, pair_rng) = kinds
        pair_steps = _steps(pairs, limits, alpha, world, pair_rng)
        wanted = round(len(pair_steps) * (1 - parallel_share) / parallel_share)
        mono_steps: list[list[MicroBatch]] = []
        while len(mono_steps) < wanted:
            mono_steps += _steps(mono, limits, alpha, world, mono_rng)
        steps = _interleave(mono_steps[:wanted], pair_steps)
    _set_normalizers(steps, update_freq, _predicted(sources))
    return [batch for step in steps for batch in step]


def plan_validation(
    sources: Sequence[Source], limits: BatchLimits, *, world: int
) -> list[MicroBatch]:
    """Every example once, by length, each step an update of its own."""
    steps: list[list[MicroBatch]] = []
    for parallel in (False, True):
        batches = [
            MicroBatch(indices, parallel)
            for source in sources
            if source.parallel is parallel
            for indices in _batches(source, np.argsort(source.costs, kind="stable"), limits)
        ]
        steps += _into_steps(batches, world)
    _set_normalizers(steps, 1, _predicted(sources))
    return [batch for step in steps for batch in step]


def _steps(
    sources: Sequence[Source],
    limits: BatchLimits,
    alpha: float,
    world: int,
    rng: np.random.Generator,
) -> list[list[MicroBatch]]:
    """One resampled pass over the corpora of a kind, in random order."""
    sizes = np.array([len(source.indices) for source in sources])
    batches: list[MicroBatch] = []
    for source, draws in zip(sources, resampled_sizes(sizes, alpha)):
        chosen = _resample(len(source.indices), draws, rng)
        # Equal lengths in random order: batches are tight, and differ from epoch to epoch.
        chosen = chosen[np.lexsort((rng.random(len(chosen)), source.costs[chosen]))]
        batches += [MicroBatch(b, source.parallel) for b in _batches(source, chosen, limits)]
    return _into_steps([batches[i] for i in rng.permutation(len(batches))], world)


def resampled_sizes(sizes: np.ndarray, alpha: float) -> np.ndarray:
    """How many examples of each corpus make up as many examples as there are in all, at least
    one of each: shares ``p^alpha / sum p^alpha`` with ``p = size / sum of sizes``."""
    weights = (sizes / sizes.sum()) ** alpha
    return np.maximum(np.round(weights / weights.sum() * sizes.sum()), 1).astype(np.int64)


def _resample(size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Whole copies of all examples, then distinct random ones for the rest."""
    whole, rest = divmod(int(draws), size)
    extra = rng.permutation(size)[:rest]
    return np.concatenate([np.tile(np.arange(size), whole), extra])


def _batches(source: Source, chosen: np.ndarray, limits: BatchLimits) -> list[np.ndarray]:
    batches = data_utils.batch_by_size(
        np.ascontiguousarray(source.indices[chosen], dtype=np.int64),
        num_tokens_fn=None,
        num_tokens_vec=np.ascontiguousarray(source.costs[chosen], dtype=np.int64),
        max_tokens=limits.max_tokens,
        max_sentences=limits.max_sentences,
        required_batch_size_multiple=limits.multiple,
    )
    return [np.asarray(batch) for batch in batches if len(batch)]


def _into_steps(batches: list[MicroBatch], world: int) -> list[list[MicroBatch]]:
    steps = [batches[i : i + world] for i in range(0, len(batches), world)]
    if steps:
        last = steps[-1]
        last += [
            MicroBatch(last[0].indices[:1], last[0].parallel, filler=True)
            for _ in range(world - len(last))
        ]
    return steps


def _interleave(
    mono: list[list[MicroBatch]], pairs: list[list[MicroBatch]]
) -> list[list[MicroBatch]]:
    """Both lists in their order, spread evenly over the whole."""
    place = [((i + 0.5) / len(mono), step) for i, step in enumerate(mono)]
    place += [((i + 0.5) / len(pairs), step) for i, step in enumerate(pairs)]
    return [step for _, step in sorted(place, key=lambda item: item[0])]


def _predicted(sources: Sequence[Source]) -> np.ndarray:
    """(number of examples,) tokens predicted in each example of the dataset."""
    out = np.zeros(1 + max(int(s.indices.max()) for s in sources), dtype=np.int32)
    for source in sources:
        out[source.indices] = source.predicted
    return out


def _set_normalizers(
    steps: list[list[MicroBatch]], update_freq: int, predicted: np.ndarray
) -> None:
    for start in range(0, len(steps), update_freq):
        update = steps[start : start + update_freq]
        batches = [batch for step in update for batch in step]
        counted = [batch for batch in batches if not batch.filler]
        tokens = {
            kind: int(sum(predicted[b.indices].sum() for b in counted if b.parallel is kind))
            for kind in (False, True)
        }
        pairs = sum(len(batch) for batch in counted if batch.parallel)
        for step in update:
            step_pairs = max(len(batch) if batch.parallel else 0 for batch in step)
            for batch in step:
                batch.normalizers = Normalizers(
                    len(batches), tokens[False], tokens[True], pairs, step_pairs
                )
