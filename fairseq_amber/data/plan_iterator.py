"""fairseq's epoch iterator over an ``EpochPlan``, without a list of all batches."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import weakref
from typing import Any, Iterator

from fairseq.data import iterators

from fairseq_amber.data.plan import EpochPlan, MicroBatch
from fairseq_amber.data.worker_folder import share_worker_folder

logger = logging.getLogger(__name__)

_buffered: weakref.WeakSet[Any] = weakref.WeakSet()
_exiting = threading.Event()
_CUT = "{updates} updates, {ranks} ranks, --update-freq {update_freq}"


class PlanIterator(iterators.EpochBatchIterator):
    """Runs a plan in its order. Each rank takes every ``num_shards``-th micro-batch.

    Args:
        plan: the micro-batches of the epoch.
        settings: arguments of fairseq's ``EpochBatchIterator``.
    """

    def __init__(self, plan: EpochPlan, **settings: Any):
        super().__init__(batch_sampler=(), disable_shuffling=True, **settings)
        self.plan = plan
        own_batches = _UntilExit(plan[self.shard_id :: self.num_shards])
        # The sampler keeps this function. A method would make a reference cycle through this
        # iterator; the garbage collector would close the queues to the workers before torch asks
        # the workers to end, and torch would wait five seconds for each.
        self.ordered_batches = lambda epoch, fix_batches_to_gpus, shuffle: own_batches

    @property
    def frozen_batches(self) -> EpochPlan:
        """The plan itself: the micro-batches of all ranks."""
        return self.plan

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of fairseq's iterator, with how the epoch is cut: the number of ranks,
        ``update_freq``, and the number of updates."""
        return {**super().state_dict(), **self._cut()}

    def _cut(self) -> dict[str, int]:
        steps = len(self.plan) // self.num_shards
        freq = self.plan.update_freq
        return {"ranks": self.num_shards, "update_freq": freq, "updates": -(-steps // freq)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues where a run stopped. If that run cut its updates into other ranks or another
        ``--update-freq``, this one starts at the beginning of the same update, or, if the updates
        have another size or the data has changed, of the update at the same share of the epoch. Of
        a run that does not tell how it cut its epoch, the number of steps is all that is known."""
        position = state_dict.get("iterations_in_epoch", 0)
        now = self._cut()
        before = {name: state_dict.get(name, now[name]) for name in now}
        if position and (before != now or position >= len(self)):
            update = position // before["update_freq"]
            if before["updates"] != now["updates"]:
                update = update * now["updates"] // before["updates"]
            update = min(update, now["updates"] - 1)
            known = _CUT.format(**before) if before.keys() <= state_dict.keys() else "unknown"
            logger.info(
                "the checkpoint's run stopped after %d steps of an epoch that it had cut otherwise "
                "(%s; here: %s): it continues at update %d of %d of the epoch",
                *(position, known, _CUT.format(**now), update + 1, now["updates"]),
            )
            position = update * now["update_freq"]
        super().load_state_dict({**state_dict, "iterations_in_epoch": position})

    def _get_iterator_for_epoch(self, *args: Any, **settings: Any):
        if self.num_workers > 0:  # stock fairseq does not share the folder
            getattr(iterators, "share_worker_folder", share_worker_folder)()
        iterator = super()._get_iterator_for_epoch(*args, **settings)
        inner = getattr(iterator, "_itr", None)
        if isinstance(inner, iterators.BufferedIterator):
            _buffered.add(inner)
        return iterator


class _UntilExit:
    """Micro-batches that end when the process exits."""

    def __init__(self, batches: EpochPlan):
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, batch_slice: slice) -> _UntilExit:
        return _UntilExit(self.batches[batch_slice])

    def __iter__(self) -> Iterator[MicroBatch]:
        for batch in self.batches:
            if _exiting.is_set():
                return
            yield batch


@atexit.register
def _stop_reading_ahead() -> None:
    """Ends fairseq's read-ahead threads before Python kills them. A thread that is killed inside
    torch aborts the process ("terminate called without an active exception"), even after the run
    has finished."""
    _exiting.set()
    for buffered in list(_buffered):
        consumer = buffered._consumer
        while consumer is not None and consumer.is_alive():
            try:
                buffered._queue.get(timeout=0.05)
            except queue.Empty:
                pass
