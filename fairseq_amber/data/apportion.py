"""Shares out a sequence of examples among corpora by error diffusion."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Iterator, Sequence

import numpy as np


def apportion(totals: np.ndarray, weights: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Shares out the first ``totals[b]`` of n examples among C classes, for every b at once.

    Two classes of w and v examples share out the first X of them as ``floor((w X + r) / (w + v))``
    and the rest, with ``r = (w + v) // 2``: Bresenham's line, which is error diffusion in one
    dimension. More classes are the leaves of a Huffman tree, and each of its nodes shares out its
    examples among two. So whatever the totals are,

    - the counts of all classes add up to the total;
    - the count of a class never falls, and ends at its weight;
    - between any two totals, one of two classes has its share up to less than one example. One of
      many has it up to less than 1 + w / a + w / b + ..., where w is its weight and a, b, ... are
      those of the nodes above it but for the root: at most 3.4, and seldom above 2.

    Args:
        totals: (B,) int64, ascending from 0 to n.
        weights: how many of the n examples each class has; their sum is n.

    Yields:
        The number of each class in any order, and (B,) int64: how many of the first ``totals[b]``
        examples are of this class.
    """
    nodes: list[tuple[int, int, Any]] = [(w, i, None) for i, w in enumerate(weights)]
    heapify(nodes)
    fresh = count(len(weights))
    while len(nodes) > 1:
        light, heavy = heappop(nodes), heappop(nodes)
        heappush(nodes, (light[0] + heavy[0], next(fresh), (light, heavy)))
    pending = [(totals, nodes[0])] if nodes else []
    while pending:
        counts, (weight, number, children) = pending.pop()
        if children is None:
            yield number, counts
            continue
        light, heavy = children
        of_light = (counts * light[0] + weight // 2) // max(weight, 1)
        pending += [(of_light, light), (counts - of_light, heavy)]
