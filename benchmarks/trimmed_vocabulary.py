"""What a smaller vocabulary saves in training: time and memory of an update, size of a checkpoint.

    fairseq-amber convert SOURCE WHOLE
    fairseq-amber convert SOURCE TRIMMED --keep-vocab TEXT
    OMP_NUM_THREADS=1 python benchmarks/trimmed_vocabulary.py WHOLE TRIMMED --output <name>.md

An update is the forward and the backward pass of MLM and TLM (the criterion ``amber`` without its
other terms) and a step of Adam, on random subwords. Both models have rows of the same lengths. In
each round both are updated once, and the order changes from round to round; the ratio is the median
over the rounds. The peak of memory is the resident memory of a process of its own that loads one
model and updates it. A checkpoint for going on with training also holds the state of Adam.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np
import torch
from amber_step import collater, optimizer_of, timed
from published import publish

import fairseq_amber  # noqa: F401  (registers the plugin)
from fairseq_amber.convert.fairseq_checkpoint import CHECKPOINT_NAME
from fairseq_amber.criterions.amber import AmberCriterion, AmberCriterionConfig
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.inference.checkpoint import load_model

MEMORY_UPDATES = 2  # the first allocates all that an update needs, the second some parts anew


class Training(NamedTuple):
    """A model that is trained.

    Attributes:
        model: the model.
        optimizer: its optimiser.
        step: makes an update.
    """

    model: Any
    optimizer: torch.optim.Optimizer
    step: Callable[[], None]

    @property
    def rows(self) -> int:
        """The size of the vocabulary."""
        return len(self.model.encoder.dictionary)

    @property
    def parameters(self) -> int:
        """The number of weights; those that are tied count once."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def main() -> None:
    """Measures, prints the table, and writes it to --output."""
    args = arguments()
    if args.peak_of:
        print(json.dumps(peak_of(args.peak_of, args)))
        return
    folders = args.whole, args.trimmed
    peaks = [peak_in_a_process(folder, args) for folder in folders]
    trainings = [training_of(folder, args) for folder in folders]
    times: list[list[float]] = [[], []]
    for turn in range(args.warmup + args.rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            seconds = timed(trainings[which].step, "cpu")
            if turn >= args.warmup:
                times[which].append(seconds)
    publish(table(args, folders, trainings, times, peaks), args.output)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("whole", type=Path, help="folder that fairseq-amber convert has written")
    parser.add_argument("trimmed", type=Path, help="folder of the same model, trimmed")
    parser.add_argument("--pairs", type=int, default=32, help="pairs in an update; default: 32")
    parser.add_argument(
        "--sentences", type=int, default=32, help="sentences in an update; default: 32"
    )
    parser.add_argument(
        "--tokens", type=int, default=30, help="mean length of a sentence; default: 30"
    )
    parser.add_argument("--rounds", type=int, default=11, help="rounds; default: 11")
    parser.add_argument("--warmup", type=int, default=1, help="rounds before them; default: 1")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    parser.add_argument("--peak-of", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    return parser.parse_args()


def training_of(folder: Path, args: argparse.Namespace) -> Training:
    """Loads a model, and makes the update that is repeated."""
    loaded = load_model(folder / CHECKPOINT_NAME)
    cfg = AmberCriterionConfig(wa_weight=0.0, sa_weight=0.0)
    criterion = AmberCriterion(argparse.Namespace(source_dictionary=loaded.dictionary), cfg)
    examples = examples_of(args, loaded.dictionary.nspecial, len(loaded.dictionary) - 1)
    sample = collater(loaded.dictionary, criterion.needs).batch(examples, 1)
    sample.update(filler=False, normalizers=None, step=0)
    model = loaded.model.train()
    optimizer = optimizer_of(model)

    def step() -> None:
        optimizer.zero_grad()
        criterion(model, sample)[0].backward()
        optimizer.step()

    torch.manual_seed(1)
    return Training(model, optimizer, step)


def examples_of(args: argparse.Namespace, first: int, end: int) -> list[Example]:
    """Sentences and pairs of random subwords, whose lengths are within 20 % of the mean.

    Args:
        args: the settings.
        first: the first id of a subword.
        end: the id after the last.
    """
    lengths = np.random.default_rng(1)
    ids = np.random.default_rng(2)
    low, high = round(0.8 * args.tokens), round(1.2 * args.tokens)

    def sentence() -> np.ndarray:
        return ids.integers(first, end, int(lengths.integers(low, high + 1)))

    kinds = [1] * args.sentences + [2] * args.pairs
    return [
        Example(0, "x-y", draw, tuple(sentence() for _ in range(sides)))
        for draw, sides in enumerate(kinds)
    ]


def peak_of(folder: Path, args: argparse.Namespace) -> dict[str, int]:
    """Updates a model; returns the peak of this process before it was loaded, and at the end."""
    before = peak_bytes()
    training = training_of(folder, args)
    for _ in range(MEMORY_UPDATES):
        training.step()
    return {"before": before, "peak": peak_bytes()}


def peak_in_a_process(folder: Path, args: argparse.Namespace) -> dict[str, int]:
    """What ``peak_of`` returns, from a process of its own."""
    command = [sys.executable, __file__, str(args.whole), str(args.trimmed)]
    for name in ("pairs", "sentences", "tokens"):
        command += [f"--{name}", str(getattr(args, name))]
    command += ["--peak-of", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_bytes() -> int:
    """Peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def checkpoint_bytes(training: Training, *, adam: bool) -> int:
    """The size of a checkpoint of the model, with the state of Adam or without it."""
    state = {"model": training.model.state_dict()}
    if adam:
        state["last_optimizer_state"] = training.optimizer.state_dict()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, CHECKPOINT_NAME)
        torch.save(state, path)
        return path.stat().st_size


def table(
    args: argparse.Namespace,
    folders: tuple[Path, Path],
    trainings: list[Training],
    times: list[list[float]],
    peaks: list[dict[str, int]],
) -> str:
    """The results as a Markdown table."""
    shape = trainings[0].model.encoder.sentence_encoder
    tokens = f"{args.sentences} sentences and {args.pairs} pairs of about {args.tokens} subwords"
    lines = [
        "# A model before and after --keep-vocab",
        "",
        f"    python benchmarks/trimmed_vocabulary.py {' '.join(sys.argv[1:])}",
        "",
        f"{len(shape.layers)} layers of {shape.embed_tokens.embedding_dim}; an update has {tokens} "
        f"a sentence. CPU ({platform.machine()}, {os.cpu_count()} cores), "
        f"{torch.get_num_threads()} thread, float32, Python {platform.python_version()}, PyTorch "
        f"{torch.__version__}; medians of {args.rounds} rounds. A process without a model takes "
        f"{peaks[0]['before'] / 1e9:.2f} GB.",
        "",
        "| | " + " | ".join(folder.name for folder in folders) + " | ratio |",
        "|---|---:|---:|---:|",
    ]
    medians = [statistics.median(each) for each in times]
    ratio = statistics.median(after / before for before, after in zip(*times))
    lines.append(row("seconds of an update", medians, ".2f", ratio))
    rows: list[tuple[str, list[float], str]] = [
        ("subwords", [each.rows for each in trainings], ",.0f"),
        ("weights, millions", [each.parameters / 1e6 for each in trainings], ".1f"),
        ("peak memory, GB", [each["peak"] / 1e9 for each in peaks], ".2f"),
    ]
    for name, adam in (("checkpoint, MB", False), ("checkpoint with Adam's state, MB", True)):
        sizes = [checkpoint_bytes(each, adam=adam) / 1e6 for each in trainings]
        rows.append((name, sizes, ",.0f"))
    lines += [row(*each) for each in rows]
    return "\n".join(lines)


def row(name: str, values: list[float], form: str, ratio: float | None = None) -> str:
    """A row of the table; the ratio is by default that of the values."""
    before, after = values
    ratio = after / before if ratio is None else ratio
    return f"| {name} | {before:{form}} | {after:{form}} | {ratio:.2f} |"


if __name__ == "__main__":
    main()
