"""A queue of sentence vectors of past updates, to be chosen among.

Shapes: K places, D dimensions.
"""

from __future__ import annotations

import torch

from fairseq_amber.criterions.full_precision import FullPrecision
from fairseq_amber.criterions.update_pairs import Pairs


class PairQueue(FullPrecision):
    """The last K pairs of keys, the oldest overwritten first. An empty place counts as a pair that
    does not count.

    Args:
        size: K.
        source_dim, target_dim: D of each side; 0 for a side that is not kept.
    """

    sources: torch.Tensor
    targets: torch.Tensor
    keys: torch.Tensor

    def __init__(self, size: int, source_dim: int, target_dim: int):
        super().__init__()
        self.size = size
        self.next = 0  # on the host: a pointer on the device would have to be waited for
        self.register_buffer("sources", torch.zeros(size, source_dim))
        self.register_buffer("targets", torch.zeros(size, target_dim))
        self.register_buffer("keys", torch.zeros(size, 3, dtype=torch.int64))

    @property
    def pairs(self) -> Pairs:
        """All K places."""
        return Pairs(self.sources, self.targets, self.keys)

    @torch.no_grad()
    def push(self, pairs: Pairs, count: int) -> None:
        """Takes in those of the pairs that count, in order.

        Args:
            pairs: at least ``count`` of them count; more than K may.
            count: how many do.
        """
        if not self.size:
            return
        # A stable sort moves them to the front without asking the device how many there are.
        real = pairs.keys[:, 2].sort(descending=True, stable=True).indices
        chosen = real[max(count - self.size, 0) : count]
        first = self.next + count - len(chosen)
        places = torch.arange(first, first + len(chosen), device=chosen.device) % self.size
        for kept, new in zip(self.pairs, pairs):
            kept.index_copy_(0, places, new[chosen].to(kept.dtype))
        self.next = (self.next + count) % self.size

    def get_extra_state(self) -> dict[str, int]:
        """Where the next pair goes."""
        return {"next": self.next}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Takes it from a checkpoint."""
        self.next = state["next"]
