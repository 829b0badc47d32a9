"""The sentence vectors of pairs, on this rank or gathered from all ranks.

Shapes: n pairs, D dimensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import torch

from fairseq_amber.criterions.gather import gather_rows


class Pairs(NamedTuple):
    """The sentence vectors of n pairs.

    A monolingual sentence that is a candidate is a pair with itself, which is no anchor.

    Attributes:
        sources: (n, D) vectors of the sources, in fp32 or fp64.
        targets: (n, D) vectors of the targets, in fp32 or fp64.
        keys: (n, 3) int64: a fingerprint of the source, a fingerprint of the target, and 1 plus the
            number of the corpus for a pair that counts, or 0 for padding and fillers.
    """

    sources: torch.Tensor
    targets: torch.Tensor
    keys: torch.Tensor

    @classmethod
    def of(cls, vectors: Sequence[torch.Tensor], keys: dict[str, Any], filler: bool) -> Pairs:
        """Builds pairs.

        Args:
            vectors: the vectors of each block of B pairs, (2B, D), sources before targets.
            keys: what ``data.alignment.collater`` gives as ``pairs``.
            filler: whether the pairs do not count.
        """
        halves = [block.chunk(2) for block in vectors]
        sources, targets = (torch.cat(side) for side in zip(*halves))
        return cls(sources, targets, key_rows(keys, filler))

    @classmethod
    def of_sentences(
        cls, vectors: Sequence[torch.Tensor], keys: dict[str, Any], filler: bool
    ) -> Pairs:
        """Builds pairs of a sentence with itself, from the vectors of each block of B sentences,
        (B, D)."""
        joined = torch.cat(list(vectors))
        return cls(joined, joined, key_rows(keys, filler))

    def detached(self) -> Pairs:
        """Returns the pairs without gradient."""
        return Pairs(self.sources.detach(), self.targets.detach(), self.keys)

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """Concatenates pairs."""
        return parts[0] if len(parts) == 1 else cls(*map(torch.cat, zip(*parts)))

    def gathered(self, height: int) -> tuple[Pairs, int]:
        """Gathers the pairs of all ranks, with gradients.

        Args:
            height: the largest number of pairs on any rank; the pairs of other ranks are filled up
                with pairs that do not count.

        Returns:
            The (world * height, D) pairs of all ranks, and the index of this rank's first pair.
        """
        if height == 0:
            return self, 0  # no rank has any, and none waits for another
        vectors, offset = gather_rows(torch.cat([self.sources, self.targets], dim=1), height)
        keys, _ = gather_rows(self.keys, height)
        sources, targets = vectors.split([self.sources.size(1), self.targets.size(1)], dim=1)
        return Pairs(sources, targets, keys), offset


def key_rows(keys: dict[str, Any], filler: bool) -> torch.Tensor:
    """Returns the (n, 3) ``keys`` of ``Pairs``."""
    real = (keys["corpus"] + 1) * int(not filler)
    return torch.stack([keys["source_key"], keys["target_key"], real], dim=1)
