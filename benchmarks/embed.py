"""Sentences per second of fairseq-amber embed against a plain loop, side by side in one run.

    python benchmarks/embed.py CHECKPOINT TEXT --data DATA_BIN
    python benchmarks/embed.py CHECKPOINT TEXT --device cuda --dtype bfloat16 --lines 100000

Both routes go from the lines of a text to a .npy file, with the same model. The plain loop is what
one writes first: batches of a fixed number of sentences in the order of the file, padded to the
longest. Ours is embed_text: batches of similar lengths and about equal size, in which repeated
lines are encoded only once; it can also be resumed. The two files must agree.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from published import publish

from fairseq_amber.data.layout import SENTENCE_SPECIALS, Specials, pad_rows, sentence_row
from fairseq_amber.inference.embedding.corpus_vectors import VectorSettings, embed_text
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.objectives.sentence_alignment import mean_pool


def plain_loop(encoder: Encoder, model, lines: list[str], batch: int, output: Path) -> None:
    """Embeds ``batch`` sentences at a time, as the mean of the last layer's states."""
    specials = Specials.of(encoder.dictionary)
    limit = encoder.max_tokens - SENTENCE_SPECIALS
    vectors = []
    for start in range(0, len(lines), batch):
        ids = encoder.tokenizer.encode(lines[start : start + batch])
        rows = [sentence_row(row[:limit], specials) for row in ids]
        tokens = pad_rows(rows, specials.pad).to(encoder.device)
        with torch.no_grad():
            states, _ = model(tokens, features_only=True)
        vectors.append(mean_pool(states, tokens.ne(specials.pad)).cpu().numpy())
    np.save(output, np.concatenate(vectors))


def ours(encoder: Encoder, data: bytes, output: Path) -> None:
    """Embeds as the command does once the model is loaded."""
    embed_text(encoder, io.BytesIO(data), "text", output, VectorSettings(), identity={})


def seconds(function: Callable[[], None], device: torch.device) -> float:
    """Seconds that one run takes."""
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def padding_share(lengths: list[int], batch: int) -> float:
    """Share of padding in the batches of the plain loop."""
    padded = sum(
        max(part) * len(part)
        for part in (lengths[i : i + batch] for i in range(0, len(lengths), batch))
    )
    return 1 - sum(lengths) / padded


def table(args, encoder: Encoder, lines: list[str], times: dict[str, list[float]]) -> str:
    """What was measured, on which hardware, and the command that repeats it."""
    hardware = (
        torch.cuda.get_device_name()
        if encoder.device.type == "cuda"
        else f"CPU ({platform.machine()}), threads: {torch.get_num_threads()}"
    )
    lengths = [
        min(len(ids) + SENTENCE_SPECIALS, encoder.max_tokens)
        for ids in encoder.tokenizer.encode(lines)
    ]
    content = [
        "# Sentences per second of embed",
        "",
        f"    python benchmarks/embed.py {' '.join(sys.argv[1:])}",
        "",
        f"{hardware}; torch {torch.__version__}; {args.dtype}; {encoder.num_layers} layers of "
        f"{encoder.dim}; {len(lines):,} lines of {np.mean(lengths):.0f} subwords on average "
        f"({np.percentile(lengths, 5):.0f} to {np.percentile(lengths, 95):.0f} in nine of ten), "
        f"{len(lines) - len(set(lines)):,} of them repeated; padding in the plain loop "
        f"{100 * padding_share(lengths, args.batch):.0f} %. Median of {args.rounds} rounds, from "
        "text to file.",
        "",
        "| route | sentences a second |",
        "|---|---:|",
    ]
    for name, measured in times.items():
        content.append(f"| {name} | {len(lines) / statistics.median(measured):.0f} |")
    plain, embed = times.values()
    ratios = [a / b for a, b in zip(plain, embed)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    content += [
        "",
        "| ratio | median | quartiles |",
        "|---|---|---|",
        f"| embed / plain loop | {middle:.2f} | {low:.2f} to {high:.2f} |",
    ]
    return "\n".join(content)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("text", metavar="TEXT", type=Path, help="one sentence per line")
    parser.add_argument("--data", metavar="DATA_BIN", help="folder with dict.txt and the tokenizer")
    parser.add_argument("--device", help="default: a GPU if there is one")
    parser.add_argument("--dtype", default="float32", help="default: float32")
    parser.add_argument("--lines", type=int, default=2000, help="number of lines; default: 2000")
    parser.add_argument(
        "--batch", type=int, default=32, help="batch size of the plain loop; default: 32"
    )
    parser.add_argument("--rounds", type=int, default=5, help="at least 2; default: 5")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    args = parser.parse_args()

    encoder = Encoder.load(args.checkpoint, data=args.data, device=args.device, dtype=args.dtype)
    with open(args.text, encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\n") for line in islice(file, args.lines)]
    data = "".join(line + "\n" for line in lines).encode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in ("plain.npy", "ours.npy")]
        routes = {
            f"plain loop, batches of {args.batch} in file order": lambda: plain_loop(
                encoder, encoder._model, lines, args.batch, outputs[0]
            ),
            "fairseq-amber embed": lambda: ours(encoder, data, outputs[1]),
        }
        for route in routes.values():
            route()  # warms up caches and kernels
        atol = 1e-4 if args.dtype == "float32" else 0.1
        np.testing.assert_allclose(*map(np.load, outputs), atol=atol)
        times: dict[str, list[float]] = {name: [] for name in routes}
        for _ in range(args.rounds):
            for name, route in routes.items():
                times[name].append(seconds(route, encoder.device))
    text = table(args, encoder, lines, times)
    publish(text, args.output)


if __name__ == "__main__":
    main()
