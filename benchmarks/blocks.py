"""Padding and time of an AMBER update by how its micro-batch is cut into blocks.

The examples are those of the plan: sentences and pairs of three corpora whose lengths differ. An
update of one micro-batch is computed with one block for each kind of text, with blocks at several
prices (``data.blocks.BLOCK_TOKENS``), and with sentences and pairs in micro-batches of their own,
each with a backward pass. In each round all ways run once on the same update, in an order that
changes from round to round; the table has medians.

    OMP_NUM_THREADS=1 python benchmarks/blocks.py --output benchmarks/results/<name>.md
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path
from typing import Any, Callable
from unittest import mock

import numpy as np
import torch
from amber_step import collater, model_of, optimizer_of
from fairseq.data import Dictionary
from published import publish

import fairseq_amber  # noqa: F401  (registers the plugin)
from fairseq_amber.criterions.amber import AmberCriterion, AmberCriterionConfig
from fairseq_amber.data import blocks
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.draws import ExampleSource
from fairseq_amber.data.sampling import plan_epoch
from fairseq_amber.data.update_size import UpdateSize

MEDIANS = (12, 20, 28)  # subwords of a sentence, of each corpus
EXAMPLES = 4000  # of each corpus and kind
PRICES = (16, 32, 64, 128, 256, 512)
ONE_BLOCK = 10**9  # a price that no saving is worth


def main() -> None:
    """Measures, prints the table, and writes it to --output."""
    args = arguments()
    torch.manual_seed(1)
    dictionary = Dictionary()
    for word in range(args.vocabulary):
        dictionary.add_symbol(f"w{word}")
    dictionary.add_symbol("<mask>")
    task = argparse.Namespace(source_dictionary=dictionary)
    criterion = AmberCriterion(task, AmberCriterionConfig())
    collate = collater(dictionary, criterion.needs)
    updates = updates_of(args, criterion.needs)
    model = model_of(args, dictionary)
    task.model = model
    optimizer = optimizer_of(model)

    def samples(examples: list[Example], price: int, apart: bool) -> list[dict[str, Any]]:
        groups = [examples]
        if apart:
            groups = [[e for e in examples if len(e.sentences) == kind] for kind in (1, 2)]
        with mock.patch.object(blocks, "BLOCK_TOKENS", price):
            batches = [collate.batch(group, epoch=1) for group in groups]
        return [{**b, "filler": False, "normalizers": None, "step": 0} for b in batches]

    def step(batches: list[dict[str, Any]]) -> None:
        optimizer.zero_grad()
        for batch in batches:
            criterion(model, batch)[0].backward()
        optimizer.step()

    ways = [("one block for each kind", ONE_BLOCK, False)]
    ways += [(f"blocks at {price} tokens", price, False) for price in PRICES]
    price = blocks.BLOCK_TOKENS
    ways += [(f"kinds in micro-batches of their own, blocks at {price} tokens", price, True)]
    report = table(args, ways, measured(args, ways, updates, samples, step))
    publish(report, args.output)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--dim", type=int, default=256, help="dimension; heads have 64")
    parser.add_argument("--vocabulary", type=int, default=8000, help="number of words")
    parser.add_argument("--max-tokens", type=int, default=8000, help="tokens in an update")
    parser.add_argument("--parallel-share", type=float, default=0.5)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15, help="rounds after the warm-up")
    parser.add_argument("--warmup", type=int, default=2, help="rounds before the measurement")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    return parser.parse_args()


def updates_of(args, needs) -> list[list[Example]]:
    """Random sentences and pairs, in the updates of the plan."""
    rng = np.random.default_rng(1)
    sources, examples = [], []
    for parallel in (False, True):
        for number, median in enumerate(MEDIANS):
            first = rng.lognormal(np.log(median), 0.5, EXAMPLES).clip(3, 120)
            second = (first * rng.lognormal(0, 0.15, EXAMPLES)).clip(3, 120)
            lengths = np.stack([first, second] if parallel else [first]).astype(int)
            costs = (
                needs.parts_of_pair(lengths.sum(axis=0), lengths.max(axis=0)).sum(axis=1)
                if parallel
                else needs.cost_of_sentence(lengths[0])
            )
            source = ExampleSource(costs)
            source.parallel = parallel
            source.indices = np.arange(len(examples), len(examples) + EXAMPLES)
            sources.append(source)
            for sides in lengths.T.tolist():
                words = tuple(rng.integers(4, 4 + args.vocabulary, n) for n in sides)
                corpus = number + len(MEDIANS) * parallel
                examples.append(Example(corpus, str(corpus), len(examples), words))
    plan = plan_epoch(
        sources,
        BatchLimits(args.max_tokens),
        UpdateSize(micro_batches=1),
        alpha=1.0,
        parallel_share=args.parallel_share,
        world=1,
        seed=(1, 1),
    )
    return [[examples[i] for i in plan[n].indices] for n in range(args.warmup + args.rounds)]


def measured(args, ways, updates, samples: Callable, step: Callable) -> dict[str, list]:
    """Padding (%) and seconds of each way, update by update."""
    results: dict[str, list] = {name: [] for name, *_ in ways}
    for turn, examples in enumerate(updates):
        for name, price, apart in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
            batches = samples(examples, price, apart)
            start = time.perf_counter()
            step(batches)
            seconds = time.perf_counter() - start
            cut = [block for batch in batches for block in batch["blocks"]]
            positions = sum(block["net_input"]["src_tokens"].numel() for block in cut)
            tokens = sum(batch["ntokens"] for batch in batches)
            if turn >= args.warmup:
                padding = 100 * (1 - tokens / positions)
                results[name].append((padding, len(cut), 1000 * seconds))
    return results


def table(args, ways, results: dict[str, list]) -> str:
    """The results as a Markdown table."""
    lines = [
        f"{args.layers} layers of {args.dim}, {args.vocabulary:,} words, updates of at most "
        f"{args.max_tokens:,} tokens over all passes; three corpora with medians of "
        f"{', '.join(map(str, MEDIANS))} subwords a sentence. {args.device}, {args.dtype}, "
        f"{torch.get_num_threads()} thread(s), {platform.machine()}, Python "
        f"{platform.python_version()}, PyTorch {torch.__version__}. Medians of {args.rounds} "
        "updates; the ratio is the median of the ratios in one round. Made by `python "
        f"benchmarks/blocks.py --layers {args.layers} --dim {args.dim} --max-tokens "
        f"{args.max_tokens}`.",
        "",
        "| an update in | blocks | padding % | ms | time, in that of the first row |",
        "|---|---:|---:|---:|---:|",
    ]
    first = [row[2] for row in results[ways[0][0]]]
    for name, *_ in ways:
        padding, count, ms = (statistics.median(column) for column in zip(*results[name]))
        ratio = statistics.median(row[2] / base for row, base in zip(results[name], first))
        lines.append(f"| {name} | {count:g} | {padding:.1f} | {ms:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
