"""Cuts the examples of a micro-batch into blocks, each a rectangle of rows of similar length."""

from __future__ import annotations

from typing import Sequence

import numpy as np

# What a further block costs, in tokens: the encoder is called once more, with smaller operands.
BLOCK_TOKENS = 32


def cut_into_blocks(costs: np.ndarray, block_tokens: int = BLOCK_TOKENS) -> list[np.ndarray]:
    """Groups examples by length so that padding and the number of blocks are in balance.

    The groups minimise ``sum_g (n_g c_g + block_tokens)``, where group g has n examples and c is
    the largest cost of one of them. The sorted costs are cut by dynamic programming.

    Args:
        costs: (n,) tokens of each example.
        block_tokens: the price of a block.

    Returns:
        For each group from the shortest examples to the longest, the numbers of its examples, (m,)
        int64 in ascending order.
    """
    if not len(costs):
        return []
    order = np.argsort(costs, kind="stable")
    ascending = costs[order]
    ends = np.append(np.flatnonzero(ascending[1:] != ascending[:-1]) + 1, len(order))
    starts = np.concatenate([[0], ends])
    best = np.zeros(len(starts))  # the price of the examples before each start
    cut = np.zeros(len(starts), dtype=np.int64)
    for number, end in enumerate(ends.tolist(), start=1):
        prices = best[:number] + (end - starts[:number]) * ascending[end - 1]
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
        kinds: for each kind, (n,) tokens of each example.
        max_tokens: the limit; None for none.

    Returns:
        For each kind the blocks of ``cut_into_blocks``. Their price is lowered until they fit.
    """
    price = BLOCK_TOKENS
    while True:
        blocks = [cut_into_blocks(costs, price) for costs in kinds]
        tokens = sum(
            len(block) * costs[block].max()
            for costs, of_kind in zip(kinds, blocks)
            for block in of_kind
        )
        if max_tokens is None or tokens <= max_tokens or not price:
            return blocks
        price //= 2
