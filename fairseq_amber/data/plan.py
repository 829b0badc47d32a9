"""An epoch's micro-batches as a few flat arrays, and the counts of the update that each micro-batch
belongs to.

Every rank makes the same plan from (seed, epoch, data, config) and takes every ``world``-th
micro-batch of it, as fairseq's sharding does. The plan therefore knows each whole update, over all
ranks and accumulated micro-batches, before the update begins. The counts that normalise the terms
of a loss come from here; they are exact and need no communication.
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
        micro_batches: how many micro-batches make up the update.
        mlm_tokens: predicted tokens of monolingual sentences.
        tlm_tokens: predicted tokens of sentence pairs.
        pairs: sentence pairs.
        points: points of target sentences; 0 if no term needs them.
        links: word links; 0 if no term needs them.
        step_pairs: the most pairs that any rank holds at this micro-batch's step.
        update_heights: the ``step_pairs`` of all parallel steps of the update, in order.
    """

    micro_batches: int
    mlm_tokens: int
    tlm_tokens: int
    pairs: int
    points: int
    links: int
    step_pairs: int
    update_heights: tuple[int, ...]


class MicroBatch:
    """Examples of one corpus that one rank runs at one step.

    Iteration yields ``(index, micro-batch)``, so that the dataset knows the update that an example
    belongs to.

    Attributes:
        indices: (B,) examples of the dataset.
        draws: (B,) a number for each example, which seeds its masking. An example that is drawn
            twice in an epoch has two numbers; they do not depend on how the epoch is cut.
        parallel: whether the examples are sentence pairs.
        filler: whether the micro-batch repeats an example because its rank has no batch of its own
            at this step. It runs like any other, but its losses and counts are taken as 0.
        normalizers: the counts of the update; None outside a plan.
        update: this rank's parallel micro-batches of the update in their order, this one included;
            None if there are fewer than two, and for monolingual micro-batches.
        update_step: the index of this micro-batch in ``update``.
    """

    __slots__ = ("indices", "draws", "parallel", "filler", "normalizers", "update", "update_step")

    def __init__(
        self,
        indices: np.ndarray,
        parallel: bool,
        filler: bool = False,
        normalizers: Normalizers | None = None,
        draws: np.ndarray | None = None,
    ):
        self.indices = indices
        self.draws = indices if draws is None else draws
        self.parallel = parallel
        self.filler = filler
        self.normalizers = normalizers
        self.update: tuple[MicroBatch, ...] | None = None
        self.update_step = 0

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[int, MicroBatch]]:
        return ((int(index), self) for index in self.indices)


class Steps(NamedTuple):
    """A table of micro-batches: S steps of W ranks; a step holds one kind of text.

    Attributes:
        starts: (S, W) where the examples of each micro-batch begin in the plan's ``indices``.
        sizes: (S, W) how many examples each micro-batch has.
        predicted_counts: (S, W) how many tokens each micro-batch predicts.
        fillers: (S, W) bool, True for a filler; see ``MicroBatch``.
        parallel: (S,) bool, True for a step of sentence pairs.
        point_and_link_counts: (S, W, 2) how many points and word links each micro-batch has.
    """

    starts: np.ndarray
    sizes: np.ndarray
    predicted_counts: np.ndarray
    fillers: np.ndarray
    parallel: np.ndarray
    point_and_link_counts: np.ndarray


class EpochPlan(Sequence):
    """The micro-batches of an epoch in the order in which they run, ``world`` of them to a step.

    A micro-batch is made when it is asked for. A slice such as ``plan[rank::world]`` is a view.

    Args:
        indices: (N,) examples of the dataset; those of a micro-batch are side by side.
        steps: the micro-batches.
        update_freq: how many steps make up an update; the last update may have fewer.
    """

    def __init__(self, indices: np.ndarray, steps: Steps, update_freq: int):
        self._indices = indices
        self._steps = steps
        self._update_freq = update_freq
        count, self._world = steps.sizes.shape
        self._numbers = range(count * self._world)
        real = ~steps.fillers
        self._heights = np.where(steps.parallel, steps.sizes.max(axis=1, initial=0), 0)

        def per_update(per_step: np.ndarray) -> np.ndarray:
            return (
                np.add.reduceat(per_step, np.arange(0, count, update_freq)) if count else per_step
            )

        tokens = (steps.predicted_counts * real).sum(axis=1)
        self._mlm_tokens = per_update(np.where(steps.parallel, 0, tokens))
        self._tlm_tokens = per_update(np.where(steps.parallel, tokens, 0))
        pairs = (steps.sizes * real).sum(axis=1)
        self._pairs = per_update(np.where(steps.parallel, pairs, 0))
        points_and_links = steps.point_and_link_counts * real[:, :, None]
        self._points_and_links = per_update(points_and_links.sum(axis=1))

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
        step, rank = divmod(number, self._world)
        update, position = divmod(step, self._update_freq)
        first = update * self._update_freq
        parallel = self._steps.parallel[first : first + self._update_freq]
        heights = self._heights[first : first + self._update_freq]
        normalizers = Normalizers(
            micro_batches=len(parallel) * self._world,
            mlm_tokens=int(self._mlm_tokens[update]),
            tlm_tokens=int(self._tlm_tokens[update]),
            pairs=int(self._pairs[update]),
            points=int(self._points_and_links[update, 0]),
            links=int(self._points_and_links[update, 1]),
            step_pairs=int(heights[position]),
            update_heights=tuple(heights[parallel].tolist()),
        )
        if not parallel[position] or len(normalizers["update_heights"]) < 2:
            return self._examples(step, rank, normalizers)
        siblings = []
        for other in np.flatnonzero(parallel).tolist():
            at_step: Normalizers = {**normalizers, "step_pairs": int(heights[other])}
            siblings.append(self._examples(first + other, rank, at_step))
        for update_step, sibling in enumerate(siblings):
            sibling.update, sibling.update_step = tuple(siblings), update_step
        return siblings[int(parallel[:position].sum())]

    def _examples(self, step: int, rank: int, normalizers: Normalizers) -> MicroBatch:
        steps = self._steps
        start = int(steps.starts[step, rank])
        end = start + int(steps.sizes[step, rank])
        return MicroBatch(
            self._indices[start:end],
            bool(steps.parallel[step]),
            bool(steps.fillers[step, rank]),
            normalizers,
            draws=np.arange(start, end),
        )
