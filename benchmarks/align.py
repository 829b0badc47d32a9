"""Pairs per second of fairseq-amber align against a plain loop, side by side in one run.

    python benchmarks/align.py CHECKPOINT --source test.de --target test.en --data DATA_BIN
    python benchmarks/align.py CHECKPOINT --source test.de --target test.en --device cuda \
        --dtype bfloat16 --pairs 100000

Both routes go from the subwords of the pairs to word links, with the same model. The plain loop is
what one writes first: it takes one pair at a time, in the order of the file, moves the output of
the model to numpy, and finds the links there by the equations of the papers. Ours is
Aligner.align: it makes batches of similar lengths, and finds their links on the device of the
model. Both must find the same links, except where rounding decides between equal scores.
Tokenisation is the same for both and is not timed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from published import publish

from fairseq_amber.files.parallel_text import read_parallel
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.word_alignment.word_aligner import Aligner, encode_units

METHODS = ("similarity", "itermax", "attention", "transport")
ALPHA, EPSILON, ITERATIONS = 0.9, 0.1, 50  # the command's defaults


def cosines(encoder: Encoder, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(S, T) cosines of the last layer's states, with both sentences in one batch."""
    states = encoder.pair_states([x], [y])
    source = states.source[0, : len(x)].float().cpu().numpy()
    target = states.target[0, : len(y)].float().cpu().numpy()
    source /= np.linalg.norm(source, axis=1, keepdims=True)
    target /= np.linalg.norm(target, axis=1, keepdims=True)
    return source @ target.T


def mutual(scores: np.ndarray) -> np.ndarray:
    """(S, T) bool: the pairs that are each other's best (Argmax of Jalili Sabet et al., 2020)."""
    s, t = scores.shape
    return (np.eye(t)[scores.argmax(1)] * np.eye(s)[scores.argmax(0)].T).astype(bool)


def itermax(similarity: np.ndarray) -> np.ndarray:
    """(S, T) bool: Itermax, Figure 3 of the same paper, in two iterations."""
    links = mutual(similarity)
    row, column = links.any(1)[:, None], links.any(0)[None, :]
    weights = np.where(row & column, 0, np.where(row | column, ALPHA, 1))
    scores = (similarity * weights).astype(np.float32)
    return links | (mutual(scores) & (scores > 0))


def transported(cosine: np.ndarray) -> np.ndarray:
    """The (S, T) transport plan between uniform weights at the cost 1 - cosine.

    It is computed by Algorithm 1 of Cuturi (2013).
    """
    s, t = cosine.shape
    kernel = np.exp((cosine - 1) / EPSILON)
    u = np.full(s, 1 / s, dtype=np.float32)
    for _ in range(ITERATIONS):
        v = 1 / t / (kernel.T @ u)
        u = 1 / s / (kernel @ v)
    return u[:, None] * kernel * v


def one_pair(encoder: Encoder, method: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(S, T) bool: the links between the subwords of one pair."""
    if method == "attention":
        maps = encoder.pair_attention([x], [y])
        forward = maps.source_to_target[0, :, : len(x), : len(y)].float().cpu().numpy()
        backward = maps.target_to_source[0, :, : len(y), : len(x)].float().cpu().numpy()
        return mutual((forward * backward.transpose(0, 2, 1)).mean(0))
    cosine = cosines(encoder, x, y)
    if method == "itermax":
        return itermax((1 + cosine) / 2)
    return mutual(transported(cosine) if method == "transport" else cosine)


def plain_loop(encoder: Encoder, method: str, pairs: list) -> list[list[tuple[int, int]]]:
    """Sorted word links of every pair."""
    links = []
    for x, y in pairs:
        aligned = np.argwhere(one_pair(encoder, method, x.ids, y.ids))
        links.append(sorted({(int(x.words[i]), int(y.words[j])) for i, j in aligned}))
    return links


def ours(aligner: Aligner, batch_tokens: int, pairs: list) -> list[list[tuple[int, int]]]:
    """The links that the command computes between tokenisation and writing."""
    sources, targets = zip(*pairs)
    links: list[list[tuple[int, int]]] = [[] for _ in pairs]
    for index, found in aligner.align(sources, targets, batch_tokens=batch_tokens):
        links[index] = found
    return links


def read_pairs(args: argparse.Namespace, encoder: Encoder) -> list:
    """The pairs whose two sides fit into one row, repeated until there are --pairs of them."""
    sides = read_parallel(args.source, args.target)
    encoded = zip(*(encode_units(encoder.tokenizer, side, "words") for side in sides))
    pairs = [
        (x, y)
        for x, y in encoded
        if len(x.ids)
        and len(y.ids)
        and encoder.fit_pair(len(x.ids), len(y.ids)) == (len(x.ids), len(y.ids))
    ]
    return list(islice(cycle(pairs), args.pairs or len(pairs)))


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Seconds that one run takes."""
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(args: argparse.Namespace, encoder: Encoder, method: str, pairs: list) -> str:
    """Measures one method and returns its row of the table.

    Raises:
        RuntimeError: the two routes differ by more than rounding explains.
    """
    aligner = Aligner(encoder, method=method, layer=-1)
    routes = {
        "plain": partial(plain_loop, encoder, method, pairs),
        "align": partial(ours, aligner, args.batch_tokens, pairs),
    }
    # This first run also warms up caches and kernels.
    plain, align = ([set(links) for links in route()] for route in routes.values())
    both = sum(len(x & y) for x, y in zip(plain, align))
    equal = 200 * both / sum(len(x) + len(y) for x, y in zip(plain, align))
    if equal < (99.9 if args.dtype == "float32" else 95):
        raise RuntimeError(f"{method}: only {equal:.2f} % of the links are the same")
    times: dict[str, list[float]] = {name: [] for name in routes}
    for _ in range(args.rounds):
        for name, route in routes.items():
            times[name].append(seconds(route, encoder.device))
    rates = [len(pairs) / statistics.median(measured) for measured in times.values()]
    ratios = [a / b for a, b in zip(times["plain"], times["align"])]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return (
        f"| {method} | {rates[0]:.0f} | {rates[1]:.0f} | {middle:.2f} | {low:.2f} to {high:.2f} "
        f"| {equal:.2f} |"
    )


def heading(args: argparse.Namespace, encoder: Encoder, pairs: list) -> list[str]:
    """What was measured, on which hardware, and the command that repeats it."""
    hardware = (
        torch.cuda.get_device_name()
        if encoder.device.type == "cuda"
        else f"CPU ({platform.machine()}), threads: {torch.get_num_threads()}"
    )
    lengths = [len(side.ids) for pair in pairs for side in pair]
    return [
        "# Pairs per second of align",
        "",
        f"    python benchmarks/align.py {' '.join(sys.argv[1:])}",
        "",
        f"{hardware}; torch {torch.__version__}; {args.dtype}; {encoder.num_layers} layers of "
        f"{encoder.dim}; {len(pairs):,} pairs, {np.mean(lengths):.0f} subwords a side on average "
        f"({np.percentile(lengths, 5):.0f} to {np.percentile(lengths, 95):.0f} in nine of ten); "
        f"at most {args.batch_tokens} subwords in a batch of align. Median of {args.rounds} "
        "rounds, from subwords to word links.",
        "",
        "| method | plain loop, pairs a second | align, pairs a second | align / plain loop "
        "| quartiles | same links, % |",
        "|---|---:|---:|---:|---|---:|",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    for side in ("source", "target"):
        parser.add_argument(f"--{side}", type=Path, required=True, help="one sentence per line")
    parser.add_argument("--data", metavar="DATA_BIN", help="folder with dict.txt and the tokenizer")
    parser.add_argument("--device", help="default: a GPU if there is one")
    parser.add_argument("--dtype", default="float32", help="default: float32")
    parser.add_argument(
        "--method", choices=METHODS, help="measure only this method; default: all four"
    )
    parser.add_argument(
        "--pairs", type=int, help="number of pairs; the text is repeated if it has fewer"
    )
    parser.add_argument("--batch-tokens", type=int, default=8192, help="for align; default: 8192")
    parser.add_argument("--rounds", type=int, default=5, help="at least 2; default: 5")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    args = parser.parse_args()

    encoder = Encoder.load(args.checkpoint, data=args.data, device=args.device, dtype=args.dtype)
    pairs = read_pairs(args, encoder)
    lines = heading(args, encoder, pairs)
    for method in METHODS if args.method is None else [args.method]:
        lines.append(measure(args, encoder, method, pairs))
    text = "\n".join(lines)
    publish(text, args.output)


if __name__ == "__main__":
    main()
