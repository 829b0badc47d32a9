"""An epoch's updates as a few flat arrays, and the micro-batches that each update is cut into.

Every rank makes the same plan from (seed, epoch, data, settings, size of the update) and takes
every ``world``-th micro-batch of it, as fairseq's sharding does. The plan knows each whole update
before it begins. The counts that normalise the terms of a loss come from here; they are exact and
need no communication.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Iterator, NamedTuple, TypedDict

import numpy as np


class Normalizers(TypedDict):
    """Counts over one update: all ranks, all accumulated micro-batches.

    A plain dict, because it becomes a part of the batch, and fairseq turns named tuples into bare
    ones when it moves a batch to a device.

    Attributes:
        micro_batches: how many micro-batches make up the update, fillers included.
        mlm_tokens: predicted tokens of monolingual sentences.
        tlm_tokens: predicted tokens of sentence pairs.
        pairs: sentence pairs.
        points: points of target sentences; 0 if no term needs them.
        links: word links; 0 if no term needs them.
        pair_heights: for each step of the update, the most pairs that any rank holds.
        sentence_heights: for each step, the most sentences that any rank holds.
        link_heights: for each step, the most word links that any rank holds, without fillers.
    """

    micro_batches: int
    mlm_tokens: int
    tlm_tokens: int
    pairs: int
    points: int
    links: int
    pair_heights: tuple[int, ...]
    sentence_heights: tuple[int, ...]
    link_heights: tuple[int, ...]


class MicroBatch:
    """Examples that one rank runs at one step: sentences and pairs of any corpora.

    Iteration yields ``(index, micro-batch)``, so that the dataset knows the update that an example
    belongs to.

    Attributes:
        indices: (B,) examples of the dataset.
        draws: (B,) a number for each example, which seeds its masking. An example that is drawn
            twice in an epoch has two numbers; they do not depend on how the epoch is cut.
        filler: whether the micro-batch repeats an example because its rank has no batch of its own
            at this step. It runs like any other, but its losses and counts are taken as 0.
        normalizers: the counts of the update; None outside a plan.
        step: the number of this micro-batch's step in the update.
        max_tokens: how many tokens it may have with padding, if its examples alone do not have
            more; None for no limit.
        update: at the first of several steps, this rank's micro-batches of the update in their
            order, this one included; None otherwise.
    """

    __slots__ = ("indices", "draws", "filler", "normalizers", "step", "max_tokens", "update")

    def __init__(
        self,
        indices: np.ndarray,
        filler: bool = False,
        normalizers: Normalizers | None = None,
        draws: np.ndarray | None = None,
        step: int = 0,
        max_tokens: int | None = None,
    ):
        self.indices = indices
        self.draws = indices if draws is None else draws
        self.filler = filler
        self.normalizers = normalizers
        self.step = step
        self.max_tokens = max_tokens
        self.update: tuple[MicroBatch, ...] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[int, MicroBatch]]:
        return ((int(index), self) for index in self.indices)


class Updates(NamedTuple):
    """U updates of N examples, cut into B micro-batches.

    Attributes:
        indices: (N,) examples of the dataset, in the order in which they run.
        ends: (B + 1,) where the micro-batches end among the examples; the first number is 0.
        firsts: (U + 1,) the number of each update's first micro-batch, then B.
        pairs: (B,) how many pairs each micro-batch has.
        counts: (U, 4) of each update: predicted tokens of sentences and of pairs, points, links.
        links: (B,) how many word links each micro-batch has; None if no term needs them.
    """

    indices: np.ndarray
    ends: np.ndarray
    firsts: np.ndarray
    pairs: np.ndarray
    counts: np.ndarray
    links: np.ndarray | None = None


def by_length_within_updates(updates: Updates, costs: np.ndarray) -> Updates:
    """Sorts the examples of each update by their length. Its micro-batches then pad less, and it
    holds the same examples.

    Args:
        updates: updates of sentences alone, whose micro-batches may hold examples of any length.
        costs: the tokens of each example of the dataset.
    """
    sizes = np.diff(updates.ends[updates.firsts])
    order = np.lexsort((costs[updates.indices], np.repeat(np.arange(len(sizes)), sizes)))
    return updates._replace(indices=updates.indices[order])


class EpochPlan(Sequence):
    """The micro-batches of an epoch in the order in which they run, ``world`` of them to a step.

    A micro-batch is made when it is asked for. A slice such as ``plan[rank::world]`` is a view.
    A rank that has no micro-batch at a step gets a filler, the first example of the update.

    Args:
        updates: the updates and their micro-batches.
        world: the number of ranks.
        update_freq: how many steps make up an update; the last update may have fewer.
        max_tokens: how many tokens a micro-batch may have with padding; None for no limit.
    """

    def __init__(
        self, updates: Updates, world: int, update_freq: int, max_tokens: int | None = None
    ):
        self.updates = updates
        self._max_tokens = max_tokens
        self._world = world
        self._update_freq = update_freq
        counts = np.diff(updates.firsts)
        self._slots = update_freq * world  # of an update
        self._last_steps = int(-(-counts[-1] // world)) if len(counts) else 0
        slots = (len(counts) - 1) * self._slots + self._last_steps * world
        self._numbers = range(slots if len(counts) else 0)

    @property
    def update_freq(self) -> int:
        """The number of steps that make up an update."""
        return self._update_freq

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index_or_slice):
        if isinstance(index_or_slice, slice):
            view = object.__new__(EpochPlan)
            view.__dict__.update(self.__dict__, _numbers=self._numbers[index_or_slice])
            return view
        return self._micro_batch(self._numbers[index_or_slice])

    def _micro_batch(self, number: int) -> MicroBatch:
        update, slot = divmod(number, self._slots)
        step, rank = divmod(slot, self._world)
        last = update == len(self.updates.firsts) - 2
        steps = self._last_steps if last else self._update_freq
        normalizers = self._normalizers(update, steps)
        micro_batch = self._examples(update, step, rank, normalizers)
        if step == 0 and steps > 1:
            later = (self._examples(update, n, rank, normalizers) for n in range(1, steps))
            micro_batch.update = (micro_batch, *later)
        return micro_batch

    def _normalizers(self, update: int, steps: int) -> Normalizers:
        updates = self.updates
        first, end = updates.firsts[update : update + 2].tolist()
        held = np.zeros((3, steps * self._world), dtype=np.int64)
        held[0, : end - first] = updates.pairs[first:end]
        held[1, : end - first] = np.diff(updates.ends[first : end + 1]) - updates.pairs[first:end]
        if updates.links is not None:
            held[2, : end - first] = updates.links[first:end]
        fillers = held[0] + held[1] == 0
        # Whether the filler is a sentence or a pair is not known here; either takes one row.
        held[:2, fillers] = 1
        pairs, sentences, linked = held.reshape(3, steps, self._world).max(axis=2).tolist()
        mlm_tokens, tlm_tokens, points, links = updates.counts[update].tolist()
        return Normalizers(
            micro_batches=steps * self._world,
            mlm_tokens=mlm_tokens,
            tlm_tokens=tlm_tokens,
            pairs=int(updates.pairs[first:end].sum()),
            points=points,
            links=links,
            pair_heights=tuple(pairs),
            sentence_heights=tuple(sentences),
            link_heights=tuple(linked),
        )

    def _examples(self, update: int, step: int, rank: int, normalizers: Normalizers) -> MicroBatch:
        updates = self.updates
        number = int(updates.firsts[update]) + step * self._world + rank
        filler = bool(number >= updates.firsts[update + 1])
        if filler:
            number = int(updates.firsts[update])
        start, end = updates.ends[number : number + 2].tolist()
        if filler:
            end = start + 1
        draws = np.arange(start, end)
        indices = updates.indices[start:end]
        return MicroBatch(indices, filler, normalizers, draws, step, self._max_tokens)
