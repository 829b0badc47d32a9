"""Which sentences to encode, and which of them together."""

from __future__ import annotations

from typing import Hashable, Iterator, Sequence, TypeVar

import numpy as np

Item = TypeVar("Item", bound=Hashable)


def evenly_spread(total: int, limit: int) -> np.ndarray:
    """Indices of at most `limit` of so many sentences, from the first to the last: int64."""
    return np.linspace(0, total - 1, min(limit, total)).round().astype(np.int64)


def distinct(sentences: Sequence[Item]) -> tuple[list[Item], np.ndarray]:
    """Each sentence once, in order of first occurrence, and (N,) int64, where each of N lies."""
    row_of = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
    rows = (row_of[sentence] for sentence in sentences)
    return list(row_of), np.fromiter(rows, dtype=np.int64, count=len(sentences))


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[np.ndarray]:
    """Indices in batches of falling length; count times longest length <= batch_tokens.

    A single item longer than batch_tokens is a batch of its own. Long batches come first, so that
    what does not fit into memory shows at once.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size
