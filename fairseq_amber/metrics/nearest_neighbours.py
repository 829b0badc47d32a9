"""Exact nearest neighbours by cosine, from one tile of the cosine matrix after the other.

The matrix of N x M cosines is never held whole: memory grows with N + M and with the size of a
tile.
"""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple, Protocol

import torch
from torch import Tensor


class UnitRows(Protocol):
    """N vectors of length one, which may be read from a file piece by piece."""

    @property
    def device(self) -> torch.device:
        """The device of the pieces."""

    def __len__(self) -> int:
        """Returns the number of rows N."""

    def pieces(self, size: int) -> Iterator[tuple[int, Tensor]]:
        """Yields pieces of up to ``size`` rows (n, D), each with the index of its first row."""


class Tile(NamedTuple):
    """One tile of a cosine matrix.

    Attributes:
        top: the row of the matrix at which the tile begins.
        left: the column of the matrix at which the tile begins.
        cosines: (n, m) float32.
    """

    top: int
    left: int
    cosines: Tensor


def cosine_tiles(
    source: UnitRows,
    target: UnitRows,
    tile: int,
    progress: Callable[[int], object] | None = None,
) -> Iterator[Tile]:
    """Yields the cosines of N source rows with M target rows, tile by tile, row by row.

    Args:
        source: N rows.
        target: M rows.
        tile: rows and columns of a tile.
        progress: called after each tile with the number of its cosines.
    """
    for top, x in source.pieces(tile):
        for left, y in target.pieces(tile):
            cosines = x @ y.T
            yield Tile(top, left, cosines)
            if progress is not None:
                progress(cosines.numel())


class TopK:
    """The k largest entries of each row of a matrix that is seen tile by tile.

    Attributes:
        values: (N, k) float32, the largest first; -inf where fewer than k were seen.
        columns: (N, k) int64, the columns of these entries. Of equal entries any may be chosen.
    """

    def __init__(self, rows: int, k: int, device: torch.device):
        """Starts without any entries of a matrix that has ``rows`` rows."""
        self.values = torch.full((rows, k), float("-inf"), device=device)
        self.columns = torch.zeros(rows, k, dtype=torch.long, device=device)

    def update(self, block: Tensor, top: int, left: int) -> None:
        """Takes in the entries (n, m) of the matrix whose upper left corner is (top, left)."""
        values, columns = self.values[top : top + len(block)], self.columns[top : top + len(block)]
        # Most tiles of a large matrix hold nothing new for most rows, and a maximum is cheap.
        rows = (block.amax(1) > values[:, -1]).nonzero().squeeze(1)
        if len(rows) == 0:
            return
        k = values.shape[1]
        best, best_columns = block[rows].topk(min(k, block.shape[1]), dim=1)
        values[rows], order = torch.cat([values[rows], best], 1).topk(k, dim=1)
        columns[rows] = torch.cat([columns[rows], best_columns + left], 1).gather(1, order)


def nearest_neighbours(
    source: UnitRows,
    target: UnitRows,
    k: int,
    *,
    tile: int,
    progress: Callable[[int], object] | None = None,
) -> tuple[TopK, TopK]:
    """Finds the k nearest targets of each source and the k nearest sources of each target.

    Both come from one pass over the tiles of the cosine matrix.

    Args:
        source: N rows.
        target: M rows.
        k: number of neighbours; a larger number than there are rows means all.
        tile: rows and columns of a tile.
        progress: called after each tile with the number of its cosines, N x M in all.
    """
    forward = TopK(len(source), min(k, len(target)), source.device)
    backward = TopK(len(target), min(k, len(source)), source.device)
    for top, left, cosines in cosine_tiles(source, target, tile, progress):
        forward.update(cosines, top, left)
        backward.update(cosines.T, left, top)
    return forward, backward
