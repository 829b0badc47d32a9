"""Accuracy of sentence retrieval: the share of sentences whose vector finds their translation.

Line i of the source text translates line i of the target text. The most similar sentence among all
sentences of the other side is retrieved for each sentence; accuracy is the share of sentences for
which this sentence is the translation. This is the Tatoeba task of Artetxe and Schwenk (2019) and
of XTREME (Hu et al., 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, NamedTuple

import torch
from torch import Tensor

from fairseq_amber.metrics.margin import margin_scores
from fairseq_amber.metrics.nearest_neighbours import cosine_tiles, nearest_neighbours

SIMILARITIES = ("cosine", "csls", "margin")
NEIGHBOURS = {"csls": 10, "margin": 4}  # k in the paper of each
PASSES = {"cosine": 1, "csls": 2, "margin": 2}  # how often all cosines are computed


class Neighbours(NamedTuple):
    """What N sources and M targets retrieve.

    Attributes:
        forward: (N,) int64, the most similar target of each source.
        backward: (M,) int64, the most similar source of each target.
        forward_scores: (N,) float32, the similarities of the targets found.
        backward_scores: (M,) float32, the similarities of the sources found.
    """

    forward: Tensor
    backward: Tensor
    forward_scores: Tensor
    backward_scores: Tensor


@dataclass(frozen=True)
class RetrievalAccuracy:
    """Which of N aligned sentences retrieve their translation.

    Attributes:
        forward_found: (N,) bool on the CPU, whether source i retrieves target i.
        backward_found: (N,) bool on the CPU, whether target i retrieves source i.
        neighbours: what was retrieved, on the CPU.
    """

    forward_found: Tensor
    backward_found: Tensor
    neighbours: Neighbours

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
        """Number of pairs, N."""
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
    """Measures how often row i of ``source`` retrieves row i of ``target``, and the reverse.

    Args:
        source: (N, D) vectors of N sentences, N >= 1.
        target: (N, D) vectors of their translations.
        similarity: see ``retrieve``.
        neighbours: see ``retrieve``.
        progress: see ``retrieve``.

    Raises:
        ValueError: the shapes differ, ``similarity`` is unknown, or a vector is NaN or infinite.
    """
    if source.shape != target.shape or source.dim() != 2 or len(source) == 0:
        raise ValueError(
            f"aligned vectors have one shape (N, D), N >= 1; got {tuple(source.shape)} and "
            f"{tuple(target.shape)}"
        )
    gold = torch.arange(len(source))
    found = retrieve(
        source, target, similarity=similarity, neighbours=neighbours, progress=progress
    )
    found = Neighbours(*(values.cpu() for values in found))
    return RetrievalAccuracy(found.forward == gold, found.backward == gold, found)


def retrieve(
    source: Tensor,
    target: Tensor,
    *,
    similarity: str = "cosine",
    neighbours: int | None = None,
    tile: int = 4096,
    progress: Callable[[int], object] | None = None,
) -> Neighbours:
    """Finds, for every row of one side, the most similar row of the other side.

    With r(x) the mean cosine of x with its k nearest neighbours on the other side:

        cosine(x, y) = cos(x, y)
        csls(x, y)   = 2 cos(x, y) - r(x) - r(y)
        margin(x, y) = cos(x, y) / ((r(x) + r(y)) / 2)

    The last two lower the scores of hubs, which are sentences that lie near many others: Conneau et
    al. (2018, arXiv 1710.04087, section 2.3), and the ratio margin of Artetxe and Schwenk (2019,
    arXiv 1811.01136, section 3). A denominator that is not positive is replaced by a tiny positive
    number. Of equal scores the lowest index wins. All is computed in float32, in tiles, so that
    memory does not grow with N x M.

    Args:
        source: (N, D) vectors.
        target: (M, D) vectors.
        similarity: one of ``SIMILARITIES``.
        neighbours: k; by default ``NEIGHBOURS``, the paper's. More than there are means all.
        tile: rows and columns of a tile of the cosine matrix.
        progress: called after each tile with the number of its cosines, ``PASSES`` x N x M in all.

    Raises:
        ValueError: ``similarity`` is unknown, or a vector is NaN or infinite.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity {similarity!r} is not one of {', '.join(SIMILARITIES)}")
    x, y = _UnitTensor(source), _UnitTensor(target)
    if similarity == "cosine":
        return _best_of_both_sides(x, y, tile, progress, lambda cosines, rows, columns: cosines)
    k = neighbours or NEIGHBOURS[similarity]
    near_x, near_y = nearest_neighbours(x, y, k, tile=tile, progress=progress)
    mean_x, mean_y = near_x.values.mean(1), near_y.values.mean(1)
    # The distance margin is half of CSLS, and its order is the same: halving is exact.
    margin = "distance" if similarity == "csls" else "ratio"
    smallest = torch.finfo(mean_x.dtype).eps

    def score(cosines: Tensor, rows: slice, columns: slice) -> Tensor:
        means = mean_x[rows, None], mean_y[columns]
        return margin_scores(cosines, *means, margin, smallest=smallest)

    found = _best_of_both_sides(x, y, tile, progress, score)
    if similarity == "margin":
        return found
    return Neighbours(*found[:2], *(2 * scores for scores in found[2:]))


class _UnitTensor:
    """Rows of a tensor scaled to length one, in float32. Rows of zeros stay zeros."""

    def __init__(self, vectors: Tensor):
        vectors = vectors.float()
        # A comparison with NaN is always false, so that such a row would retrieve the first one.
        if not vectors.norm(dim=1).isfinite().all():
            raise ValueError("a vector is NaN or infinite")
        self.rows = torch.nn.functional.normalize(vectors, dim=1)
        self.device = vectors.device

    def __len__(self) -> int:
        return len(self.rows)

    def pieces(self, size: int) -> Iterator[tuple[int, Tensor]]:
        for start in range(0, len(self.rows), size):
            yield start, self.rows[start : start + size]


def _best_of_both_sides(
    x: _UnitTensor,
    y: _UnitTensor,
    tile: int,
    progress: Callable[[int], object] | None,
    score: Callable[[Tensor, slice, slice], Tensor],
) -> Neighbours:
    """Computes the (N,) row-wise and the (M,) column-wise argmax of score(x @ y.T), with the
    scores. Of equal scores the lowest index wins."""
    best = [x.rows.new_full((len(side),), float("-inf")) for side in (x, y)]
    index = [torch.zeros(len(side), dtype=torch.long, device=x.device) for side in (x, y)]
    for top, left, cosines in cosine_tiles(x, y, tile, progress):
        rows, columns = slice(top, top + tile), slice(left, left + tile)
        block = score(cosines, rows, columns)
        for side, here, start, dim in ((0, rows, left, 1), (1, columns, top, 0)):
            value, position = block.max(dim)
            better = value > best[side][here]
            best[side][here] = torch.where(better, value, best[side][here])
            index[side][here] = torch.where(better, position + start, index[side][here])
    return Neighbours(*index, *best)
