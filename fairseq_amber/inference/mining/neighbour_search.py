"""Finds the k nearest neighbours of two sets of sentence vectors in each other.

The search is exact, or approximate with faiss; its memory is bounded.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple, Sequence

import numpy as np
from torch import Tensor

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.unit_vectors import PIECE, UnitVectors
from fairseq_amber.metrics.nearest_neighbours import TopK, nearest_neighbours
from fairseq_amber.progress import Progress, heartbeat

_POINTS = 40  # vectors per list that k-means is trained on; faiss asks for 39


class Neighbours(NamedTuple):
    """The k nearest neighbours of N sentences on the other side, the nearest first.

    Attributes:
        cosine: (N, k) float32, the cosine of a sentence with each of its neighbours.
        rows: (N, k) int64, the neighbours' rows on the other side.
    """

    cosine: np.ndarray
    rows: np.ndarray

    @classmethod
    def on_cpu(cls, found: TopK) -> Neighbours:
        """Returns the neighbours that an exact search has found, as arrays."""
        return cls(found.values.cpu().numpy(), found.columns.cpu().numpy())


def exact_neighbours(
    source: UnitVectors,
    target: UnitVectors,
    k: int,
    *,
    tile: int | None = None,
) -> tuple[Neighbours, Neighbours]:
    """Returns the k nearest targets of each source and the k nearest sources of each target.

    Cosines are computed in float32, with a progress bar. Of equal cosines any may be chosen.

    Args:
        source: N vectors of dimension D.
        target: M vectors of dimension D.
        k: number of neighbours; more than there are means all.
        tile: rows and columns of a tile of the cosine matrix; the default depends on the device.

    Returns:
        The neighbours of the sources and of the targets.
    """
    device = source.device
    tile = tile or (1024 if device.type == "cpu" else 8192)
    cosines = len(source) * len(target)
    with Progress(total=cosines, unit="cosines", what="exact search") as progress:
        forward, backward = nearest_neighbours(
            source, target, k, tile=tile, progress=progress.update
        )
    return Neighbours.on_cpu(forward), Neighbours.on_cpu(backward)


def _scan(queries: Tensor, items: UnitVectors, k: int) -> Neighbours:
    """Returns the k nearest items of a few queries (Q, D), by exact search."""
    nearest = TopK(len(queries), min(k, len(items)), queries.device)
    what = f"exact search for {len(queries):,} sentences"
    with Progress(total=len(items), unit="sentences", what=what) as progress:
        for left, piece in items.pieces(PIECE):
            nearest.update(queries @ piece.T, 0, left)
            progress.update(len(piece))
    return Neighbours.on_cpu(nearest)


def default_lists(items: int) -> int:
    """Returns the number of lists for N items: 4 sqrt(N), but at least 39 items in a list."""
    return max(1, min(int(4 * items**0.5), items // 39))


def approximate_neighbours(
    source: UnitVectors,
    target: UnitVectors,
    k: int,
    *,
    lists: int | None = None,
    probes: int = 32,
) -> tuple[Neighbours, Neighbours]:
    """Approximates ``exact_neighbours`` with faiss, in less time.

    k-means divides each side into lists (faiss's IndexIVFFlat with inner products). A sentence is
    compared only with the ``probes`` lists whose centroids are nearest to it, and misses neighbours
    in other lists. Where these lists hold fewer than k sentences, the sentence is searched exactly.
    One side at a time is in memory, as float32.

    Args:
        source: N vectors of dimension D.
        target: M vectors of dimension D.
        k: number of neighbours; more than there are means all.
        lists: number of lists of each side; by default ``default_lists``.
        probes: number of lists to compare with; as many as there are finds all neighbours.

    Returns:
        The neighbours of the sources and of the targets.

    Raises:
        UserError: faiss is missing.
    """
    faiss = import_faiss()
    return (
        _search_lists(faiss, source, target, k, lists, probes),
        _search_lists(faiss, target, source, k, lists, probes),
    )


def _search_lists(
    faiss: Any, queries: UnitVectors, items: UnitVectors, k: int, lists: int | None, probes: int
) -> Neighbours:
    k, lists = min(k, len(items)), min(lists or default_lists(len(items)), len(items))
    quantizer = faiss.IndexFlatIP(items.dim)
    index = faiss.IndexIVFFlat(quantizer, items.dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 1
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _POINTS
    sample = np.random.default_rng(1).permutation(len(items))[: _POINTS * lists]
    with heartbeat(f"k-means of {len(sample):,} sentences into {lists:,} lists"):
        index.train(items[np.sort(sample)].cpu().numpy())
    with Progress(total=len(items), unit="sentences", what="filling the lists") as progress:
        for _, piece in items.pieces(PIECE):
            index.add(piece.cpu().numpy())
            progress.update(len(piece))
    index.nprobe = min(probes, lists)
    found = Neighbours(
        np.empty((len(queries), k), dtype=np.float32), np.empty((len(queries), k), dtype=np.int64)
    )
    with Progress(total=len(queries), unit="sentences", what="approximate search") as progress:
        for start, piece in queries.pieces(PIECE):
            here = slice(start, start + len(piece))
            found.cosine[here], found.rows[here] = index.search(piece.cpu().numpy(), k)
            progress.update(len(piece))
    [incomplete_rows] = np.nonzero(found.rows[:, -1] < 0)
    for start in range(0, len(incomplete_rows), PIECE):
        rows = incomplete_rows[start : start + PIECE]
        found.cosine[rows], found.rows[rows] = _scan(queries[rows], items, k)
    return found


def sampled_recall(
    source: UnitVectors,
    target: UnitVectors,
    found: Sequence[Neighbours],
    *,
    sample: int = 500,
    seed: int = 1,
) -> float:
    """Measures the recall of a search: the share of the true nearest neighbours that it has found.

    The recall is measured on a random sample of each side, which is searched exactly.

    Args:
        source: N vectors of dimension D.
        target: M vectors of dimension D.
        found: neighbours of the sources and of the targets, from ``approximate_neighbours``.
        sample: number of sentences to sample on each side.
        seed: seed of the sample.

    Returns:
        The mean over both sides, 0 to 1. Of neighbours with equal cosines any counts as found.
    """
    generator = np.random.default_rng(seed)
    shares = []
    for queries, items, neighbours in ((source, target, found[0]), (target, source, found[1])):
        size = min(sample, len(queries))
        rows = np.sort(generator.choice(len(queries), size, replace=False))
        true = _scan(queries[rows], items, neighbours.rows.shape[1])
        # A neighbour is true if its cosine is at least that of the k-th true one, up to rounding.
        shares.append(float((neighbours.cosine[rows] >= true.cosine[:, -1:] - 1e-6).mean()))
    return sum(shares) / 2


def import_faiss() -> Any:
    """Imports the package faiss.

    Raises:
        UserError: faiss is not installed.
    """
    # the loader logs which build it loads
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    try:
        import faiss
    except ImportError:
        raise UserError(
            "approximate search needs faiss; pip install faiss-cpu, or search exactly"
        ) from None
    return faiss
