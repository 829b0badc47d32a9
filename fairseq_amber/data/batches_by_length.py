"""Chooses the sentences to encode, and puts them into batches."""

from __future__ import annotations

from typing import Hashable, Iterator, Sequence, TypeVar

import numpy as np

Item = TypeVar("Item", bound=Hashable)


def evenly_spread(total: int, limit: int) -> np.ndarray:
    """Spreads n = min(limit, total) indices evenly over ``total`` sentences: (n,) int64."""
    return np.linspace(0, total - 1, min(limit, total)).round().astype(np.int64)


def distinct(sentences: Sequence[Item]) -> tuple[list[Item], np.ndarray]:
    """Finds the distinct sentences among N sentences.

    Returns:
        The distinct sentences in order of first occurrence, and for each of the N sentences its
        index among these, (N,) int64.
    """
    row_of = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
    rows = (row_of[sentence] for sentence in sentences)
    return list(row_of), np.fromiter(rows, dtype=np.int64, count=len(sentences))


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[np.ndarray]:
    """Yields batches of sentences of about equal length, long ones first.

    A batch that does not fit into memory then fails at the start, not after hours.

    Args:
        lengths: the length of each sentence in tokens.
        batch_tokens: upper limit of the number of sentences times the length of the longest one. A
            single longer sentence is a batch of its own.

    Yields:
        (n,) int64 indices of the sentences in a batch.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size
