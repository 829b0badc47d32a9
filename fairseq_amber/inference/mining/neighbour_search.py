"""The k nearest neighbours of two sets of sentence vectors in each other, in bounded memory."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple, Sequence

import numpy as np
from torch import Tensor

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.unit_vectors import PIECE, UnitVectors
from fairseq_amber.metrics.nearest_neighbours import TopK, nearest_neighbours
from fairseq_amber.progress import Progress, heartbeat

_POINTS = 40  # of each list, to find its centroid; faiss asks for 39


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
        """The neighbours that an exact search has found, as arrays."""
        return cls(found.values.cpu().numpy(), found.columns.cpu().numpy())


def exact_neighbours(
    source: UnitVectors,
    target: UnitVectors,
    k: int,
    *,
    tile: int | None = None,
) -> tuple[Neighbours, Neighbours]:
    """The k nearest targets of every source and the k nearest sources of every target.

    Both come from one pass over tile x tile blocks of the cosine matrix, in float32, with a
    progress bar. Of equal cosines any may be the neighbour.

    Args:
        source, target: N and M vectors of one dimension D.
        k: more than the rows there are means all of them.
        tile: by default what suits the device.
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
    """The k nearest items of a few queries (Q, D), exactly."""
    nearest = TopK(len(queries), min(k, len(items)), queries.device)
    what = f"exact search for {len(queries):,} sentences"
    with Progress(total=len(items), unit="sentences", what=what) as progress:
        for left, piece in items.pieces(PIECE):
            nearest.update(queries @ piece.T, 0, left)
            progress.update(len(piece))
    return Neighbours.on_cpu(nearest)


def default_lists(items: int) -> int:
    """Lists of the approximate index over so many items: 4 sqrt(N), each with 39 items or more."""
    return max(1, min(int(4 * items**0.5), items // 39))


def approximate_neighbours(
    source: UnitVectors,
    target: UnitVectors,
    k: int,
    *,
    lists: int | None = None,
    probes: int = 32,
) -> tuple[Neighbours, Neighbours]:
    """`exact_neighbours` by faiss, which compares a sentence with the likeliest few lists alone.

    k-means cuts each side into lists (faiss's IndexIVFFlat under the inner product); a sentence is
    compared with the `probes` lists whose centroids are nearest to it. Neighbours elsewhere are
    missed; with as many probes as lists, none are. A sentence whose lists hold fewer than k is
    searched exactly. Memory holds one side as float32 at a time.

    Args:
        lists: of each side; by default `default_lists`.
        probes: more than the lists there are means all of them.

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
    [short] = np.nonzero(found.rows[:, -1] < 0)
    for start in range(0, len(short), PIECE):
        rows = short[start : start + PIECE]
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
    """Share of the true nearest neighbours that a search has found, of a sample on each side.

    Args:
        found: of the sources and of the targets, from `approximate_neighbours`.
        sample: sentences of each side.

    Returns:
        0 to 1, the mean over both sides; of equal cosines any counts.
    """
    generator = np.random.default_rng(seed)
    shares = []
    for queries, items, neighbours in ((source, target, found[0]), (target, source, found[1])):
        size = min(sample, len(queries))
        rows = np.sort(generator.choice(len(queries), size, replace=False))
        true = _scan(queries[rows], items, neighbours.rows.shape[1])
        # What is missed lies below the cosine of the k-th true one, but for rounding.
        shares.append(float((neighbours.cosine[rows] >= true.cosine[:, -1:] - 1e-6).mean()))
    return sum(shares) / 2


def import_faiss() -> Any:
    """The package faiss.

    Raises:
        UserError: it is missing.
    """
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which build it takes
    try:
        import faiss
    except ImportError:
        raise UserError(
            "approximate search needs faiss; pip install faiss-cpu, or search exactly"
        ) from None
    return faiss
