import collections

import pytest
import torch

from fairseq_amber.criterions.momentum import PairQueue
from fairseq_amber.criterions.update_pairs import Pairs


@pytest.mark.parametrize("size", [1, 4, 10])
def test_the_queue_wraps_like_a_deque(size):
    """With batches that do not divide its size or exceed it, and pairs among them that do not
    count."""
    queue, twin = PairQueue(size, 0, 2), collections.deque(maxlen=size)
    generator = torch.Generator().manual_seed(3)
    number = 0
    for _ in range(30):
        n = int(torch.randint(0, 8, (), generator=generator))
        real = torch.rand(n, generator=generator) < 0.7
        keys = torch.stack([torch.arange(number, number + n), torch.arange(n), real.long()], dim=1)
        number += n
        targets = keys[:, :2].float()
        queue.push(Pairs(targets[:, :0], targets, keys), int(real.sum()))
        twin.extend(keys[real].tolist())
        order = [(queue.next + i) % size for i in range(size)]
        kept = [key for key in queue.keys[order].tolist() if key[2]]
        assert kept == list(twin)
        assert queue.targets[order][-len(kept) :].tolist() == [k[:2] for k in kept] or not kept
