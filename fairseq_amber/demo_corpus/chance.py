"""Random choices that stay the same from one Python version to the next."""

from __future__ import annotations

import random
from typing import Sequence, TypeVar

Item = TypeVar("Item")


class Chance:
    """A seeded source of choices; it uses ``random.random`` alone, which Python keeps stable."""

    def __init__(self, seed: str):
        self._random = random.Random(seed).random

    def is_true(self, probability: float) -> bool:
        """Returns True with this probability."""
        return self._random() < probability

    def below(self, count: int) -> int:
        """Draws a number from 0 to count - 1."""
        return int(self._random() * count)

    def pick(self, items: Sequence[Item]) -> Item:
        """Draws one of the items, all with the same probability."""
        return items[int(self._random() * len(items))]

    def weighted(self, table: Sequence[tuple[Item, float]]) -> Item:
        """Draws an item of (item, weight) pairs, with a probability proportional to its weight."""
        point = self._random() * sum([weight for _, weight in table])
        for item, weight in table:
            point -= weight
            if point < 0:
                return item
        return table[-1][0]
