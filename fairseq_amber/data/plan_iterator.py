"""fairseq's epoch iterator over an :class:`EpochPlan`, without a list of all its batches."""

from __future__ import annotations

from typing import Any

from fairseq.data import iterators

from fairseq_amber.data.plan import EpochPlan


class PlanIterator(iterators.EpochBatchIterator):
    """Runs a plan in its order; a rank takes every ``num_shards``-th micro-batch.

    Args:
        plan: the epoch.
        settings: of fairseq's :class:`EpochBatchIterator`.
    """

    def __init__(self, plan: EpochPlan, **settings: Any):
        super().__init__(batch_sampler=(), disable_shuffling=True, **settings)
        self.plan = plan

    @property
    def frozen_batches(self) -> EpochPlan:
        """The micro-batches of all ranks."""
        return self.plan

    def ordered_batches(self, epoch: int, fix_batches_to_gpus: bool, shuffle: bool) -> EpochPlan:
        """The micro-batches of this rank: a view of the plan."""
        return self.plan[self.shard_id :: self.num_shards]
