"""How large a batch may be, and where a sorted list of examples is cut into batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class BatchLimits(NamedTuple):
    """The limits of a batch.

    Attributes:
        max_tokens: fairseq's ``--max-tokens``: the largest number of examples times the tokens of
            the longest one.
        max_sentences: fairseq's ``--batch-size``: the largest number of examples.
        multiple: fairseq's ``--required-batch-size-multiple``.
    """

    max_tokens: int | None = None
    max_sentences: int | None = None
    multiple: int = 1

    def largest(self, costs: np.ndarray, allowance: np.ndarray | None = None) -> np.ndarray:
        """Returns, for each of R costs, the largest number of examples of such a cost in a batch.

        Args:
            costs: (R,) tokens of an example.
            allowance: (R,) tokens that a batch may take beyond the cost of its examples. If it is
                given, a batch has at least one example, even if one alone exceeds ``max_tokens``.

        Raises:
            ValueError: without an allowance, if one example alone costs more than ``max_tokens``.
        """
        most = np.full(len(costs), np.iinfo(np.int64).max)
        if self.max_tokens is not None:
            room = self.max_tokens - (0 if allowance is None else allowance)
            most = np.floor(room / np.maximum(costs, 1)).astype(np.int64)
            if allowance is not None:
                most = np.maximum(most, 1)
        if self.max_sentences is not None:
            most = np.minimum(most, self.max_sentences)
        if len(most) and most.min() < 1:
            raise ValueError(f"an example of {costs.max()} tokens exceeds {self.max_tokens}")
        return most

    def cut(self, largest: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Returns where each batch ends when examples come in ascending order of cost, as in
        fairseq's ``batch_by_size``. Each batch is as large as the limits allow, rounded down to a
        multiple of ``multiple`` unless it is smaller than ``multiple``.

        Examples are given as R runs of equal cost, so that the work grows with the number of runs
        and not with the number of examples.

        Args:
            largest: (R,) the largest number of examples in a batch that ends in each run; it
                never rises.
            ends: (R,) the number of examples up to the end of each run.
        """
        most, runs = largest.tolist(), ends.tolist()
        cuts = []
        start = 0
        for run, end in enumerate(runs):
            while start < end:
                size = self._rounded(most[run])
                if start + size <= end:
                    count = (end - start) // size
                    cuts.append(start + size * np.arange(1, count + 1))
                    start += size * count
                    continue
                last = end  # the batch extends into runs of higher cost, while the limits allow it
                for later in range(run + 1, len(runs)):
                    room = start + most[later]
                    last = max(last, min(room, runs[later]))
                    if room <= runs[later]:
                        break
                start += self._rounded(last - start)
                cuts.append(np.array([start]))
        return np.concatenate(cuts)

    def _rounded(self, size: int) -> int:
        """Rounds a number of examples down to a multiple of ``multiple``, unless it is smaller."""
        return size - size % self.multiple if size > self.multiple else size
