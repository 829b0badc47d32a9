"""Ratios of the step times of MLM, TLM and full AMBER on the same pairs.

AMBER is compared with TLM alone (ours and that of stock fairseq), and with a literal reading of the
paper, which takes five whole passes through the encoder and one backward pass for each term. MLM is
compared with ``masked_lm`` and ``roberta`` of stock fairseq in the same shape. A step is a forward
pass, a backward pass and an update by Adam. In each round all steps run once, in an order that
changes from round to round; a ratio is the median over the rounds.

    OMP_NUM_THREADS=1 python benchmarks/amber_step.py --output benchmarks/results/<name>.md
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable

import fairseq
import numpy as np
import torch
from fairseq.data import Dictionary
from published import publish
from stock_training import stock_criterion, stock_model, stock_sample, stock_targets

import fairseq_amber  # noqa: F401  (registers the plugin)
from fairseq_amber.criterions.amber import AmberCriterion, AmberCriterionConfig
from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import Specials
from fairseq_amber.models.amber import AmberConfig, AmberModel
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.sentence_alignment import contrastive_loss, mean_pool
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss

WEIGHTS = {
    "mlm": dict(tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0),
    "tlm": dict(mlm_weight=0.0, wa_weight=0.0, sa_weight=0.0),
    "amber": {},
}
RATIOS = (
    ("full AMBER / stock TLM alone", "amber", "stock tlm", "at most 2.6"),
    ("full AMBER / TLM alone", "amber", "tlm", "at most 2.6"),
    ("literal reading / full AMBER", "literal", "amber", "at least 1.3"),
    ("stock MLM / MLM alone", "stock mlm", "mlm", "at least 1.0 on CPU, 1.3 on GPU"),
)


def main() -> None:
    """Measures, prints the table, and writes it to --output."""
    args = arguments()
    torch.manual_seed(1)
    dictionary = Dictionary()
    for word in range(args.vocabulary):
        dictionary.add_symbol(f"w{word}")
    dictionary.add_symbol("<mask>")
    pairs = sentence_pairs(args.pairs, args.tokens, args.vocabulary)
    steps = {name: ours(args, dictionary, pairs, name) for name in WEIGHTS}
    steps["literal"] = literal(args, dictionary, pairs)
    for name in ("mlm", "tlm"):
        steps[f"stock {name}"] = stock(args, dictionary, pairs, name)
    times: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for turn in range(args.warmup + args.rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            seconds = timed(steps[name], args.device)
            if turn >= args.warmup:
                times[name].append(seconds)
    report = table(args, times)
    publish(report, args.output)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument(
        "--dim", type=int, default=256, help="dimension of the states; heads have 64"
    )
    parser.add_argument("--vocabulary", type=int, default=8000, help="number of words")
    parser.add_argument("--pairs", type=int, default=48, help="pairs in a batch")
    parser.add_argument("--tokens", type=int, default=25, help="mean length of a sentence")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=15, help="rounds after the warm-up")
    parser.add_argument("--warmup", type=int, default=3, help="rounds before the measurement")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    return parser.parse_args()


def sentence_pairs(count: int, mean: int, vocabulary: int):
    """Pairs of random sentences whose lengths are within 20 % of the mean, as in a real batch."""
    rng = np.random.default_rng(1)

    def sentence():
        length = int(rng.integers(round(0.8 * mean), round(1.2 * mean) + 1))
        return rng.integers(4, 4 + vocabulary, length)

    return [(sentence(), sentence()) for _ in range(count)]


def collater(dictionary: Dictionary, needs: Needs) -> Collater:
    """The collater that makes batches as the task does."""
    masking = Masking(
        MaskingRates(), dictionary.index("<mask>"), (dictionary.nspecial, len(dictionary) - 1)
    )
    return Collater(Specials.of(dictionary), needs, masking)


def shape_of(args) -> dict[str, Any]:
    """The shape of the model, in fairseq's names."""
    return dict(
        encoder_layers=args.layers,
        encoder_embed_dim=args.dim,
        encoder_ffn_embed_dim=4 * args.dim,
        encoder_attention_heads=args.dim // 64,
        dropout=args.dropout,
        attention_dropout=args.dropout,
    )


def model_of(args, dictionary: Dictionary) -> AmberModel:
    """Our model in that shape."""
    torch.manual_seed(1)
    cfg = AmberConfig(**shape_of(args))
    task = argparse.Namespace(source_dictionary=dictionary)
    return AmberModel.build_model(cfg, task).to(args.device, getattr(torch, args.dtype))


def optimizer_of(model: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimizer of every model."""
    return torch.optim.Adam(model.parameters(), lr=1e-4)


def criterion_of(dictionary: Dictionary, name: str) -> AmberCriterion:
    """The criterion ``amber`` with one of ``WEIGHTS``."""
    cfg = AmberCriterionConfig(**WEIGHTS[name])
    return AmberCriterion(argparse.Namespace(source_dictionary=dictionary), cfg)


def examples_of(pairs, criterion: AmberCriterion) -> list[Example]:
    """The pairs as a criterion reads them; for MLM, both sides of all pairs as sentences."""
    read = pairs if criterion.needs.tlm else [(side,) for sides in zip(*pairs) for side in sides]
    return [Example(0, "x-y", draw, sentences) for draw, sentences in enumerate(read)]


def batch_of(dictionary, pairs, criterion: AmberCriterion, device: str) -> dict[str, Any]:
    """The batch of all pairs for a criterion."""
    sample = collater(dictionary, criterion.needs).batch(examples_of(pairs, criterion), 1)
    sample.update(filler=False, normalizers=None, step=0)
    return fairseq.utils.move_to_cuda(sample) if device != "cpu" else sample


def block_of(dictionary, pairs, criterion: AmberCriterion, device: str) -> dict[str, Any]:
    """All pairs for a criterion in one rectangle."""
    rows = collater(dictionary, criterion.needs).rows
    block = rows.pairs(examples_of(pairs, criterion), 1)
    return fairseq.utils.move_to_cuda(block) if device != "cpu" else block


def ours(args, dictionary, pairs, name: str) -> Callable[[], None]:
    """A step of the criterion ``amber``."""
    criterion = criterion_of(dictionary, name)
    model = model_of(args, dictionary)
    optimizer = optimizer_of(model)
    sample = batch_of(dictionary, pairs, criterion, args.device)

    def step() -> None:
        optimizer.zero_grad()
        criterion(model, sample)[0].backward()
        optimizer.step()

    return step


def literal(args, dictionary, pairs) -> Callable[[], None]:
    """A step of AMBER as the paper writes it, with our encoder.

    It takes one pass for TLM, two for WA and two for SA, and one backward pass for each term. Each
    pass is over all pairs; the rows of SA, which hold one sentence, are as short as possible.
    """
    model = model_of(args, dictionary)
    optimizer = optimizer_of(model)
    criterion = criterion_of(dictionary, "amber")
    sample = block_of(dictionary, pairs, criterion, args.device)
    tlm = block_of(dictionary, pairs, criterion_of(dictionary, "tlm"), args.device)
    masked_tokens, _ = stock_targets(tlm)
    separate = collater(dictionary, Needs()).rows.separate(examples_of(pairs, criterion))
    n = len(pairs)
    positives = torch.arange(n, device=args.device)
    net_input = sample["net_input"]
    passes = [slice(n, 2 * n), slice(2 * n, 3 * n)]
    sides = [slice(0, n), slice(n, 2 * n)]
    tokens, mask = separate["tokens"].to(args.device), separate["mask"].to(args.device)

    def attention(rows: slice, block: slice) -> torch.Tensor:
        _, extra = model(
            net_input["src_tokens"][rows],
            prefix_lengths=net_input["prefix_lengths"][rows],
            cross=tuple(part[block] for part in net_input["cross"]),
            features_only=True,
        )
        return extra["cross_attention"]

    def vectors(side: slice) -> torch.Tensor:
        return mean_pool(model(tokens[side], features_only=True)[0], mask[side])

    def step() -> None:
        optimizer.zero_grad()
        scores, _ = model(tlm["net_input"]["src_tokens"], masked_tokens=masked_tokens)
        masked_lm_loss(scores, tlm["target"]).mean().backward()
        to_source, to_target = (attention(*where) for where in zip(passes, sides))
        wa = attention_symmetry_loss(
            to_target, to_source, sample["source_mask"], sample["target_mask"]
        )
        wa.mean().backward()
        contrastive_loss(*map(vectors, sides), positives).mean().backward()
        optimizer.step()

    return step


def stock(args, dictionary, pairs, name: str) -> Callable[[], None]:
    """A step of stock fairseq: ``masked_lm`` with ``roberta`` on the same masked rows."""
    torch.manual_seed(1)
    model = stock_model(shape_of(args), dictionary).to(args.device, getattr(torch, args.dtype))
    optimizer = optimizer_of(model)
    mine = batch_of(dictionary, pairs, criterion_of(dictionary, name), args.device)
    sample, criterion = stock_sample(mine, dictionary), stock_criterion(dictionary)

    def step() -> None:
        optimizer.zero_grad()
        loss, size, _ = criterion(model, sample)
        (loss / size).backward()
        optimizer.step()

    return step


def timed(step: Callable[[], None], device: str) -> float:
    """Seconds that one step takes."""
    start = time.perf_counter()
    step()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def table(args, times: dict[str, list[float]]) -> str:
    """What was measured, on which hardware, and the command that repeats it."""
    hardware = (
        torch.cuda.get_device_name()
        if args.device != "cpu"
        else f"CPU ({platform.machine()}), {torch.get_num_threads()} thread"
    )
    lines = [
        "# Step times of AMBER and its parts",
        "",
        f"    python benchmarks/amber_step.py {' '.join(sys.argv[1:])}",
        "",
        f"{hardware}; torch {torch.__version__}; {args.dtype}; {args.layers} layers of {args.dim}, "
        f"{args.vocabulary} words, {args.pairs} pairs of about 2 x {args.tokens} tokens, dropout "
        f"{args.dropout}; median of {args.rounds} rounds.",
        "",
        "| step | milliseconds |",
        "|---|---|",
    ]
    for name, seconds in times.items():
        lines.append(f"| {name} | {1000 * statistics.median(seconds):.1f} |")
    lines += ["", "| ratio | median | quartiles | target |", "|---|---|---|---|"]
    for label, above, below, target in RATIOS:
        ratios = [a / b for a, b in zip(times[above], times[below])]
        low, middle, high = statistics.quantiles(ratios, n=4)
        lines.append(f"| {label} | {middle:.2f} | {low:.2f} to {high:.2f} | {target} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
