"""What making batches costs a training run, through the task's own iterator."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any, Callable

from stopwatch import seconds_of
from training_work import AMBER, KINDS, Candidate, Work, task_of

_FIRST = 2  # batches that are not timed, while the processes start


def waiting(work: Work, candidate: Candidate, workers: int, seconds: float) -> dict[str, Any]:
    """Times steps of full AMBER with batches from the iterator, and with the same batches at hand.

    Args:
        work: the corpus.
        candidate: the step of full AMBER.
        workers: processes that make batches (``--num-workers``).
        seconds: about how long to measure.

    Returns:
        The row of a table.
    """
    device = work.device
    task = task_of(work.folder, work.dictionary, candidate.trainee.model, KINDS[AMBER].criterion())
    data = task.datasets["train"]
    batches = task.get_batch_iterator(
        data, max_tokens=3 * work.max_tokens, seed=1, num_workers=workers
    )
    some = [list(batch) for batch in islice(iter(batches.frozen_batches), 5)]
    made = [
        seconds_of(lambda batch=batch: data.collater([data[item] for item in batch]), device)
        for batch in some
    ]
    in_one_process = sum(made) / len(made)

    step = seconds_of(candidate.run, device) / len(candidate.samples)
    count = min(max(int(seconds / 2 / step), 2), len(batches.frozen_batches) - _FIRST)
    stream = iter(batches.next_epoch_itr(shuffle=False))
    samples = [work.moved(sample) for sample in islice(stream, _FIRST)]

    def run(source: Callable[[], Any]) -> None:
        """Makes all steps, with batches from a source."""
        for _ in range(count):
            candidate.trainee.step(candidate.criterion, source())

    def from_iterator() -> Any:
        """The next batch of the iterator, which is also kept."""
        samples.append(work.moved(next(stream)))
        return samples[-1]

    with_iterator = seconds_of(lambda: run(from_iterator), device) / count
    again = iter(samples[_FIRST:])
    at_hand = seconds_of(lambda: run(lambda: next(again)), device) / count
    return {
        "steps": count,
        "batch made by one process, ms": 1000 * in_one_process,
        "processes that keep up": math.ceil(in_one_process / at_hand),
        f"step with {workers} processes, ms": 1000 * with_iterator,
        "step with batches at hand, ms": 1000 * at_hand,
        "waiting, %": round(100 * (1 - at_hand / with_iterator), 1),
    }
