"""Speed of ``mine``: exact search on the device, through the code of the command."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from mine import NOISE
from speed_run import Run
from stopwatch import Limit, seconds_of

from fairseq_amber.inference.mining.pair_miner import Miner
from fairseq_amber.inference.mining.unit_vectors import UnitVectors, open_vectors
from fairseq_amber.metrics.mining import best_threshold, mining_quality

MINE = "Mining pairs"


def measure(run: Run, seconds: float) -> None:
    """Measures as often as the time allows, at least once; only the first call warms up."""
    limit = Limit(seconds)
    count, dim = (500, 32) if run.toy else (200_000, 768)
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder, f"{side}.npy") for side in ("source", "target")]
        for path, vectors in zip(sides, drawn(count, dim, run.device)):
            np.save(path, vectors)
        found = []

        def mine() -> None:
            source, target = (UnitVectors(open_vectors(side), device=run.device) for side in sides)
            found[:] = [Miner().candidates(source, target)[0]]

        times = [seconds_of(mine, run.device)]
        # The first call also warms up; it counts only if there is no time for a second one.
        while limit.left() > times[-1] and len(times) < 4:
            times.append(seconds_of(mine, run.device))
        timed = times[1:] or times
        [pairs] = found
    gold = count // 2
    right = (pairs.source == pairs.target) & (pairs.source < gold)
    kept = pairs.score >= best_threshold(pairs.score, right, gold)
    quality = mining_quality(int(right[kept].sum()), int(kept.sum()), gold)
    row = {
        "sentences": f"{count:,} x {count:,}",
        "dimensions": dim,
        "seconds": min(timed),
        "sentences a second": int(2 * count / min(timed)),
        "TFLOP/s": 2 * count * count * dim / min(timed) / 1e12,
        "planted pairs found, F1 %": round(quality.f1, 2),
    }
    run.result.add(
        MINE,
        [row],
        "Exact search in both directions in fp32, from opening two float16 files to scored pairs; "
        f"the best of {len(timed)}{'' if times[1:] else ', the first one'}. Half of the sentences "
        "have a partner, the same vector with noise.",
    )


def drawn(count: int, dim: int, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Two float16 arrays (count, dim) of random vectors, like those of ``benchmarks/mine.py``.

    They have a common direction and dimensions of decreasing variance. In the first half, row i of
    both is the same vector with noise.
    """
    generator = torch.Generator(device).manual_seed(1)

    def normal(*shape: int) -> torch.Tensor:
        """Standard normal values."""
        return torch.randn(*shape, generator=generator, device=device)

    scale = torch.arange(1, dim + 1, device=device) ** -0.5
    centre = normal(dim) * scale
    meaning = normal(count // 2, dim)
    sides = []
    for _ in range(2):
        own = normal(count, dim)
        vectors = float(np.hypot(1, NOISE)) * own
        vectors[: count // 2] = meaning + NOISE * own[: count // 2]
        sides.append((centre + scale * vectors).half().cpu().numpy())
    return sides[0], sides[1]
