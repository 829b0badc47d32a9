"""Nearest-neighbour search between two sets of sentence vectors, and its accuracy.

Line i of the source text translates line i of the target text. Each sentence looks for its
translation among all sentences of the other side; accuracy is the share of those that find it.
That is the Tatoeba task of Artetxe and Schwenk (2019) and of XTREME (Hu et al., 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterator, Tuple

import torch
from torch import Tensor

SIMILARITIES = ("cosine", "csls", "margin")
NEIGHBOURS = {"csls": 10, "margin": 4}  # as their papers count
PASSES = {"cosine": 1, "csls": 2, "margin": 2}  # over all pairs of sentences


@dataclass(frozen=True)
class RetrievalAccuracy:
    """Whether each of N source sentences finds its target (forward), and the way back.

    forward_found, backward_found: (N,) bool, on the CPU.
    """

    forward_found: Tensor
    backward_found: Tensor

    @property
    def forward(self) -> float:
        """Accuracy from source to target, in percent."""
        return 100.0 * self.forward_found.double().mean().item()

    @property
    def backward(self) -> float:
        """Accuracy from target to source, in percent."""
        return 100.0 * self.backward_found.double().mean().item()

    @property
    def n(self) -> int:
        """How many pairs."""
        return len(self.forward_found)

    @property
    def mean(self) -> float:
        """Mean of the two directions, in percent."""
        return (self.forward + self.backward) / 2


def retrieval_accuracy(
    source: Tensor,
    target: Tensor,
    *,
    similarity: str = "cosine",
    neighbours: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> RetrievalAccuracy:
    """Accuracy of finding row i of `target` from row i of `source`, and the reverse.

    Args:
        source, target: (N, D) vectors of N aligned sentences, N >= 1.
        similarity, neighbours, progress: as in `nearest_neighbours`.

    Raises:
        ValueError: the shapes differ, or as `nearest_neighbours`.
    """
    if source.shape != target.shape or source.dim() != 2 or len(source) == 0:
        raise ValueError(
            f"aligned vectors have one shape (N, D), N >= 1; got {tuple(source.shape)} and "
            f"{tuple(target.shape)}"
        )
    gold = torch.arange(len(source), device=source.device)
    forward, backward = nearest_neighbours(
        source, target, similarity=similarity, neighbours=neighbours, progress=progress
    )
    return RetrievalAccuracy((forward == gold).cpu(), (backward == gold).cpu())


def nearest_neighbours(
    source: Tensor,
    target: Tensor,
    *,
    similarity: str = "cosine",
    neighbours: int | None = None,
    tile: int = 4096,
    progress: Callable[[int], object] | None = None,
) -> tuple[Tensor, Tensor]:
    """For every row of one side, the index of the most similar row of the other side.

    With r_target(x) the mean cosine of x with its `neighbours` nearest targets:

        cosine(x, y) = cos(x, y)
        csls(x, y)   = 2 cos(x, y) - r_target(x) - r_source(y)
        margin(x, y) = cos(x, y) / ((r_target(x) + r_source(y)) / 2)

    The last two discount hubs: Conneau et al. (2018, arXiv 1710.04087, section 2.3), and the ratio
    margin of Artetxe and Schwenk (2019, arXiv 1811.01136, section 3), whose denominator is taken as
    a tiny positive number where it is none. Of equal scores the lowest index wins. Both directions
    come from one pass over tile x tile blocks of the similarity matrix, in float32, so memory does
    not grow with N x M.

    Args:
        source: (N, D) vectors.
        target: (M, D) vectors.
        similarity: one of `SIMILARITIES`.
        neighbours: k, by default the paper's, `NEIGHBOURS`; more than the rows there are means all.
        progress: told how many cosines a block has, after it; `PASSES` times N x M together.

    Returns:
        (N,) indices into target and (M,) indices into source, int64.

    Raises:
        ValueError: there is no such similarity, or a vector is NaN or infinite.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity {similarity!r} is none of {', '.join(SIMILARITIES)}")
    x, y = _unit(source), _unit(target)
    tiles = partial(_tiles, x, y, tile, progress)
    if similarity == "cosine":
        return _best_of_both_sides(tiles(), x, y, lambda block, rows, columns: block)
    r_target, r_source = _mean_of_nearest(tiles(), x, y, neighbours or NEIGHBOURS[similarity])

    def score(block: Tensor, rows: slice, columns: slice) -> Tensor:
        hubs = r_target[rows, None] + r_source[columns]
        if similarity == "csls":
            return 2 * block - hubs
        return block / (hubs / 2).clamp(min=torch.finfo(hubs.dtype).eps)

    return _best_of_both_sides(tiles(), x, y, score)


def _unit(vectors: Tensor) -> Tensor:
    """Rows of length one, float32; zeros stay zeros."""
    vectors = vectors.float()
    # No comparison with NaN holds: such a row would find whatever is first.
    if not vectors.norm(dim=1).isfinite().all():
        raise ValueError("a vector is NaN or infinite")
    return torch.nn.functional.normalize(vectors, dim=1)


_Tiles = Iterator[Tuple[slice, slice, Tensor]]


def _tiles(x: Tensor, y: Tensor, tile: int, progress: Callable[[int], object] | None) -> _Tiles:
    """Blocks of x @ y.T, row by row, with the rows and columns they cover."""
    for top in range(0, len(x), tile):
        rows = slice(top, top + tile)
        for left in range(0, len(y), tile):
            columns = slice(left, left + tile)
            block = x[rows] @ y[columns].T
            yield rows, columns, block
            if progress is not None:
                progress(block.numel())


def _best_of_both_sides(
    tiles: _Tiles, x: Tensor, y: Tensor, score: Callable[[Tensor, slice, slice], Tensor]
) -> tuple[Tensor, Tensor]:
    """Row-wise and column-wise argmax of score(x @ y.T), the lowest index first."""
    best = [x.new_full((len(side),), float("-inf")) for side in (x, y)]
    index = [torch.zeros(len(side), dtype=torch.long, device=x.device) for side in (x, y)]
    for rows, columns, block in tiles:
        block = score(block, rows, columns)
        for side, here, other, dim in ((0, rows, columns, 1), (1, columns, rows, 0)):
            value, position = block.max(dim)
            better = value > best[side][here]
            best[side][here] = torch.where(better, value, best[side][here])
            index[side][here] = torch.where(better, position + other.start, index[side][here])
    return index[0], index[1]


def _mean_of_nearest(tiles: _Tiles, x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Mean of the k largest entries of each row and of each column of x @ y.T: (N,), (M,)."""
    wanted = (min(k, len(y)), min(k, len(x)))
    top = [x.new_full((len(side), count), float("-inf")) for side, count in zip((x, y), wanted)]
    for rows, columns, block in tiles:
        for side, here, values in ((0, rows, block), (1, columns, block.T)):
            merged = torch.cat([top[side][here], values], dim=1)
            top[side][here] = merged.topk(wanted[side], dim=1).values
    return top[0].mean(1), top[1].mean(1)
