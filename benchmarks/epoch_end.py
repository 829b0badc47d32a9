"""Seconds from the last batch of an epoch until its data-loading workers have ended.

Our PlanIterator is compared with fairseq's EpochBatchIterator over the same batches. The end of a
validation costs the same.

    python benchmarks/epoch_end.py
    python benchmarks/epoch_end.py --workers 1 8 --output table.md

A training loop drops the iterator of the epoch, and Python's garbage collector runs some time
later; here it runs at once. The routes take turns; each time is the median of several rounds.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import time
from pathlib import Path

import fairseq  # noqa: F401  (first, so that the plugin registers itself)
import numpy as np
import torch
from fairseq.data import ListDataset, iterators
from published import publish

from fairseq_amber.data.plan import EpochPlan, Updates
from fairseq_amber.data.plan_iterator import PlanIterator

BATCHES = 50


def fairseq_amber_epoch(workers: int):
    """Our iterator over batches of one example each."""
    updates = Updates(
        indices=np.arange(BATCHES),
        ends=np.arange(BATCHES + 1),
        firsts=np.arange(BATCHES + 1),
        pairs=np.ones(BATCHES, int),
        counts=np.zeros((BATCHES, 4), int),
    )
    plan = EpochPlan(updates, 1, 1)
    return PlanIterator(plan, dataset=_Numbers([]), collate_fn=torch.stack, num_workers=workers)


class _Numbers(ListDataset):
    """A dataset in which an example is its number in the plan."""

    def __getitem__(self, item):
        return torch.tensor([int(item[0])])


def fairseq_epoch(workers: int):
    """fairseq's iterator over the same batches."""
    return iterators.EpochBatchIterator(
        dataset=ListDataset([torch.tensor([i]) for i in range(BATCHES)]),
        collate_fn=torch.stack,
        batch_sampler=[[i] for i in range(BATCHES)],
        num_workers=workers,
    )


ROUTES = {
    "fairseq_amber PlanIterator": fairseq_amber_epoch,
    "fairseq EpochBatchIterator": fairseq_epoch,
}


def seconds_to_end(route: str, workers: int) -> float:
    """Seconds that one epoch takes after its last batch."""
    epochs = ROUTES[route](workers)
    epoch = epochs.next_epoch_itr()
    assert sum(1 for _ in epoch) == BATCHES
    start = time.perf_counter()
    del epochs, epoch
    gc.collect()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    header = " | ".join(f"{n} workers" if n > 1 else "1 worker" for n in args.workers)
    lines = [
        f"Seconds from the last batch of an epoch until its workers are gone, median of "
        f"{args.rounds}. {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, PyTorch {torch.__version__}.",
        "",
        f"| route | {header} |",
        f"|---|{'---:|' * len(args.workers)}",
    ]
    found = {(route, n): [] for route in ROUTES for n in args.workers}
    for _ in range(args.rounds):
        for route, n in found:
            found[route, n].append(seconds_to_end(route, n))
    for route in ROUTES:
        medians = [statistics.median(found[route, n]) for n in args.workers]
        lines.append(f"| {route} | {' | '.join(f'{m:.2f}' for m in medians)} |")
    text = "\n".join(lines)
    publish(text, args.output)


if __name__ == "__main__":
    main()
