"""The examples that a batch is made of, and where their sentences are among the encoded tokens."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np


class Example(NamedTuple):
    """A sentence or a pair.

    Attributes:
        corpus: the number of its corpus in the split.
        name: the name of its corpus.
        draw: the number that seeds its masking; see ``data.plan.MicroBatch``.
        sentences: the token ids of the sentence, or of both sentences of the pair.
        links: (k, 2) word links of the pair, the positions of the linked subwords in its two
            sentences; None if they are not needed.
        line_starts: where the lines of a row begin that may have two segments; None for others.
        words: for each sentence (T,) bool, where its words begin; None if they are not needed.
    """

    corpus: int
    name: str
    draw: int
    sentences: tuple[np.ndarray, ...]
    links: np.ndarray | None = None
    line_starts: np.ndarray | None = None
    words: tuple[np.ndarray, ...] | None = None


class RowStarts(NamedTuple):
    """Where the rows of n pairs begin among the states of a micro-batch.

    Each block of B pairs is encoded as 2B rows of P tokens: all first sentences, then all second
    ones. The rows of all blocks follow each other.

    Attributes:
        first: (n,) int64, where the row of each first sentence begins.
        second: (n,) int64, where the row of each second sentence begins.
        alone: (n,) int64, where the row of each pair begins if a block has only one side of its
            pairs, B rows.
    """

    first: np.ndarray
    second: np.ndarray
    alone: np.ndarray

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, int]]) -> RowStarts:
        """Returns the row starts of blocks with these numbers B and P."""
        first, second, alone = [np.zeros(0, dtype=np.int64)], [], []
        start = 0
        for count, width in shapes:
            rows = np.arange(count, dtype=np.int64) * width
            first.append(2 * start + rows)
            second.append(2 * start + count * width + rows)
            alone.append(start + rows)
            start += count * width
        return cls(*(np.concatenate([first[0], *part]) for part in (first[1:], second, alone)))
