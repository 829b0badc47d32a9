"""Cuts the examples of a micro-batch into blocks, each a rectangle of rows of similar length."""

from __future__ import annotations

from typing import Sequence

import numpy as np

# What a further block costs, in tokens: the encoder is called once more, with smaller operands.
BLOCK_TOKENS = 32


def cut_into_blocks(sizes: np.ndarray, block_tokens: int = BLOCK_TOKENS) -> list[np.ndarray]:
    """Groups examples by length so that padding and the number of blocks are in balance.

    An example has P rows or groups of rows, each of which is padded to the longest one of its
    block. The groups minimise ``sum_g (n_g sum_p c_gp + block_tokens)``, where group g has n
    examples and c_p is the largest size of part p of one of them. The examples are sorted by the
    sum of their parts and cut by dynamic programming.

    Args:
        sizes: (n,) or (n, P) tokens of each example, in all or part by part.
        block_tokens: the price of a block.

    Returns:
        For each group from the shortest examples to the longest, the numbers of its examples, (m,)
        int64 in ascending order.
    """
    if not len(sizes):
        return []
    sizes = sizes.reshape(len(sizes), -1)
    order = np.lexsort((*sizes.T, sizes.sum(axis=1)))
    ascending = sizes[order]
    changes = (ascending[1:] != ascending[:-1]).any(axis=1)
    ends = np.append(np.flatnonzero(changes) + 1, len(order))
    starts = np.concatenate([[0], ends])
    best = np.zeros(len(starts))  # the price of the examples before each start
    cut = np.zeros(len(starts), dtype=np.int64)
    for number, end in enumerate(ends.tolist(), start=1):
        backwards = ascending[ends[number - 1 :: -1] - 1]
        largest = np.maximum.accumulate(backwards, axis=0)[::-1].sum(axis=1)
        prices = best[:number] + (end - starts[:number]) * largest
        cut[number] = prices.argmin()
        best[number] = prices[cut[number]] + block_tokens
    blocks = []
    number = len(ends)
    while number:
        blocks.append(np.sort(order[starts[cut[number]] : starts[number]]))
        number = cut[number]
    return blocks[::-1]


def blocks_within(
    kinds: Sequence[np.ndarray], max_tokens: int | None = None
) -> list[list[np.ndarray]]:
    """Cuts the examples of each kind of a micro-batch into blocks, which together have at most
    ``max_tokens`` tokens with padding, if the examples have no more without it.

    Args:
        kinds: for each kind, (n,) or (n, P) tokens of each example, in all or part by part.
        max_tokens: the limit; None for none.

    Returns:
        For each kind the blocks of ``cut_into_blocks``. Their price is lowered until they fit.
    """
    price = BLOCK_TOKENS
    while True:
        blocks = [cut_into_blocks(sizes, price) for sizes in kinds]
        tokens = sum(
            len(block) * sizes[block].max(axis=0).sum()
            for sizes, of_kind in zip(kinds, blocks)
            for block in of_kind
        )
        if max_tokens is None or tokens <= max_tokens or not price:
            return blocks
        price //= 2
