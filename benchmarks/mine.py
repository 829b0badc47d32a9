"""Time and memory of mining translations in two texts, by exact and by approximate search.

The routes are our exact search, faiss's exact search, and approximate search. Each runs in a fresh
process, on the same memory-mapped vectors.

    python benchmarks/mine.py                                     # 20,000 x 20,000, a minute
    python benchmarks/mine.py --sentences 1000000 --route approximate --nprobe 8
    python benchmarks/mine.py --sentences 1000000 --targets 20000 --route exact
    python benchmarks/mine.py --output table.md

The vectors are random, in float16 files. Like those of encoders they have a strong common
direction, and dimensions of decreasing variance. Half of the sentences of the smaller side have a
partner on the other side: the same vector with noise.

Seconds and memory are those of Miner.candidates, from opening the files to scored pairs, which is
Miner.mine without the recall of approximate search; faiss's exact search replaces only the search
for neighbours. Memory is the peak of the whole process, with the mapped pages of the files, which
the system may take back at any time. Recall is measured afterwards: the share of true neighbours
that were found, for a sample of 200 sentences of each side, whose true neighbours an exact search
finds. F1 is that of the partners, at the best threshold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from published import publish

CHUNK = 16384
NOISE = 0.45


def write_vectors(folder: Path, sizes: tuple[int, int], dim: int) -> None:
    """Writes source.npy and target.npy.

    Each row i in the first half of the smaller one has row i of the other as its partner.
    """
    rng = np.random.default_rng(1)
    scale = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    centre = rng.standard_normal(dim, dtype=np.float32) * scale
    with open(folder / "source.npy", "wb") as source, open(folder / "target.npy", "wb") as target:
        sides = list(zip((source, target), sizes))
        for file, size in sides:
            header = {"descr": "<f2", "fortran_order": False, "shape": (size, dim)}
            np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, max(sizes), CHUNK):
            rows = min(CHUNK, max(sizes) - start)
            meaning = rng.standard_normal((rows, dim), dtype=np.float32)
            paired = (start + np.arange(rows) < min(sizes) // 2)[:, None]
            for file, size in sides:
                here = min(rows, max(0, size - start))
                own = rng.standard_normal((here, dim), dtype=np.float32)
                drawn = np.where(
                    paired[:here], meaning[:here] + NOISE * own, np.hypot(1, NOISE) * own
                )
                file.write((centre + scale * drawn).astype("<f2").tobytes())


def faiss_neighbours(source, target, k: int):
    """The neighbours in both directions, from one IndexFlatIP for each."""
    import faiss

    from fairseq_amber.inference.mining.neighbour_search import Neighbours

    found = []
    for queries, items in ((source, target), (target, source)):
        index = faiss.IndexFlatIP(items.dim)
        for _, piece in items.pieces(CHUNK):
            index.add(piece.numpy())
        parts = [index.search(piece.numpy(), k) for _, piece in queries.pieces(CHUNK)]
        found.append(Neighbours(*map(np.concatenate, zip(*parts))))
    return tuple(found)


ROUTES = {
    "exact": "exact, both directions in one pass",
    "faiss": "faiss IndexFlatIP, one direction after the other",
    "approximate": "approximate, faiss IndexIVFFlat",
}


def measure(route: str, folder: Path, nlist: int | None, nprobe: int) -> dict:
    """Runs one route in this process."""
    from fairseq_amber.inference.mining.neighbour_search import sampled_recall
    from fairseq_amber.inference.mining.pair_miner import Miner
    from fairseq_amber.inference.mining.pair_selection import mine_pairs
    from fairseq_amber.inference.mining.unit_vectors import UnitVectors, open_vectors
    from fairseq_amber.metrics.mining import best_threshold, mining_quality

    miner = Miner(lists=nlist, probes=nprobe if route == "approximate" else None)
    start = time.perf_counter()
    x, y = (UnitVectors(open_vectors(folder / f"{side}.npy")) for side in ("source", "target"))
    if route == "faiss":
        found = faiss_neighbours(x, y, miner.neighbours)
        pairs = mine_pairs(*found, margin=miner.margin, retrieval=miner.retrieval)
    else:
        pairs, found = miner.candidates(x, y)
    seconds, peak = time.perf_counter() - start, peak_bytes()
    gold = min(len(x), len(y)) // 2
    right = (pairs.source == pairs.target) & (pairs.source < gold)
    kept = pairs.score >= best_threshold(pairs.score, right, gold)
    return {
        "seconds": seconds,
        "peak": peak,
        "recall": 100 * sampled_recall(x, y, found, sample=200),
        "f1": mining_quality(int(right[kept].sum()), int(kept.sum()), gold).f1,
    }


def peak_bytes() -> int:
    """Peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def table(results: dict[str, dict], args: argparse.Namespace) -> str:
    """The results as a Markdown table."""
    import faiss
    import torch

    from fairseq_amber.inference.mining.neighbour_search import default_lists
    from fairseq_amber.inference.mining.pair_miner import Miner

    threads = os.environ.get("OMP_NUM_THREADS", "all")
    sizes = args.sentences, args.targets
    lists = [str(args.nlist or default_lists(size)) for size in sizes]
    approximate = f"nlist {' and '.join(dict.fromkeys(lists))}, nprobe {args.nprobe}"
    lines = [
        f"{sizes[0]:,} x {sizes[1]:,} sentences, {args.dim} dimensions: two float16 files, "
        f"{sum(sizes) * args.dim * 2 / 2**30:.2f} GiB together. k = {Miner().neighbours}. "
        + (f"Approximate search: {approximate}. " if "approximate" in results else "")
        + f"{platform.machine()}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}, faiss "
        f"{faiss.__version__}. Made by `python benchmarks/mine.py {' '.join(sys.argv[1:])}`.",
        "",
        "| search | seconds | peak GiB | neighbours found, % | F1, % |",
        "|---|---:|---:|---:|---:|",
    ]
    for route, result in results.items():
        lines.append(
            f"| {ROUTES[route]} | {result['seconds']:.1f} | {result['peak'] / 2**30:.2f} "
            f"| {result['recall']:.1f} | {result['f1']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sentences", type=int, default=20_000, help="number of sources; default: 20,000"
    )
    parser.add_argument("--targets", type=int, help="number of targets; default: --sentences")
    parser.add_argument("--dim", type=int, default=256, help="dimensions; default: 256")
    parser.add_argument(
        "--route", choices=ROUTES, help="measure only this route; default: all three"
    )
    parser.add_argument("--nlist", type=int, help="inverted lists; default: as fairseq-amber mine")
    parser.add_argument(
        "--nprobe", type=int, default=32, help="lists that are searched; default: 32"
    )
    parser.add_argument("--folder", help="folder for the vectors; default: a temporary one")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    parser.add_argument("--measure", nargs=2, metavar=("ROUTE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        route, folder = args.measure
        print(json.dumps(measure(route, Path(folder), args.nlist, args.nprobe)))
        return
    args.targets = args.targets or args.sentences
    results = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        write_vectors(Path(folder), (args.sentences, args.targets), args.dim)
        for route in ROUTES if args.route is None else [args.route]:
            command = [sys.executable, __file__, "--measure", route, folder]
            command += ["--nprobe", str(args.nprobe)]
            command += [] if args.nlist is None else ["--nlist", str(args.nlist)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results[route] = json.loads(done.stdout.splitlines()[-1])
    text = table(results, args)
    publish(text, args.output)


if __name__ == "__main__":
    main()
