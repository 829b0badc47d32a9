"""``fairseq-amber retrieve``: does a sentence find its translation, in both directions?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fairseq_amber.evaluation.flags import (
    add_encoder_arguments,
    add_text_arguments,
    load_encoder,
    parallel_files,
)
from fairseq_amber.evaluation.results import Result
from fairseq_amber.evaluation.tables import plain_table
from fairseq_amber.evaluation.text_files import read_parallel

if TYPE_CHECKING:
    from fairseq_amber.evaluation.encoder import Encoder

SUMMARY = "accuracy of finding each sentence's translation by nearest neighbour, both ways"
EXAMPLE = "fairseq-amber retrieve checkpoint_best.pt --folder corpus --split test --json out.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    add_text_arguments(parser)
    parser.add_argument(
        "--layer",
        type=int,
        default=-1,
        help="layer of the states: 1 is the first, -1 the last, 0 the embeddings",
    )
    parser.add_argument(
        "--pooling",
        choices=("mean", "mean-no-specials", "cls"),
        default="mean",
        help="sentence vector: mean of all states, of the subwords' alone, or the state of <s>; "
        "the default is what AMBER trains",
    )
    parser.add_argument(
        "--similarity",
        choices=("cosine", "csls"),
        default="cosine",
        help="cosine, as Tatoeba in XTREME; or CSLS with 10 neighbours",
    )
    parser.add_argument("--name", metavar="SYSTEM", help="the system's name in reports")
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")


def run(args: argparse.Namespace) -> None:
    """Prints accuracy per pair in percent with the settings, and writes the JSON."""
    files = parallel_files(args)
    texts = {pair.name: read_parallel(pair.source, pair.target) for pair in files}
    for name, sides in texts.items():
        _note_duplicates(name, sides)
    encoder = load_encoder(args)
    config = {
        **encoder.config,
        "layer": encoder.resolve_layer(args.layer),
        "layers": encoder.num_layers,
        "pooling": args.pooling,
        "similarity": args.similarity,
        "direction": "both: the score is their mean",
        "test": str(args.folder or args.source),
    }
    result = Result.from_languages(
        task="retrieval",
        metric="accuracy",
        system=args.name or str(args.checkpoint),
        per_language={name: _measure(encoder, *sides, args) for name, sides in texts.items()},
        config=config,
    )
    print(_table(result))
    print(
        f"accuracy in %; layer {config['layer']} of {config['layers']}, {args.pooling} pooling, "
        f"{args.similarity}; {args.checkpoint}"
        + ("" if args.reinitialize is None else " with weights drawn anew")
    )
    if args.json:
        result.write(args.json)


def _measure(
    encoder: Encoder, source: list[str], target: list[str], args: argparse.Namespace
) -> dict[str, float]:
    from fairseq_amber.evaluation.retrieval import retrieval_accuracy

    x, y = (
        encoder.embed(side, layer=args.layer, pooling=args.pooling, batch_tokens=args.batch_tokens)
        for side in (source, target)
    )
    accuracy = retrieval_accuracy(x, y, similarity=args.similarity)
    return {
        "score": accuracy.mean,
        "forward": accuracy.forward,
        "backward": accuracy.backward,
        "n": accuracy.n,
    }


def _table(result: Result) -> str:
    rows = [
        [name, str(parts["n"])]
        + [f"{parts[column]:.2f}" for column in ("forward", "backward", "score")]
        for name, parts in result.per_language.items()
    ]
    if len(rows) > 1:
        forward, backward = (
            sum(parts[column] for parts in result.per_language.values()) / len(rows)
            for column in ("forward", "backward")
        )
        rows.append(
            ["mean", str(result.n), f"{forward:.2f}", f"{backward:.2f}", f"{result.score:.2f}"]
        )
    return plain_table(["pair", "n", "->", "<-", "mean"], rows)


def _note_duplicates(name: str, sides: tuple[list[str], list[str]]) -> None:
    copies = sum(len(side) - len(set(side)) for side in sides)
    if copies:
        print(f"note: {name} has {copies} repeated lines; finding a copy counts as an error")
