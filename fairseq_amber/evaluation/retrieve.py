"""``fairseq-amber retrieve``: does a sentence find its translation, in both directions?"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import digest_of
from fairseq_amber.files.parallel_text import ParallelFiles, read_order, read_parallel
from fairseq_amber.files.results import Result
from fairseq_amber.files.tables import plain_table
from fairseq_amber.inference.flags import (
    add_encoder_arguments,
    add_text_arguments,
    add_vector_arguments,
    checkpoint_note,
    load_encoder,
    parallel_files,
    tested_on,
)
from fairseq_amber.metrics.outcomes import accuracy_outcomes
from fairseq_amber.progress import Progress

if TYPE_CHECKING:
    from fairseq_amber.inference.encoder import Encoder
    from fairseq_amber.metrics.retrieval import RetrievalAccuracy

SUMMARY = "accuracy of finding each sentence's translation by nearest neighbour, both ways"
EXAMPLE = "fairseq-amber retrieve checkpoint_best.pt --folder corpus --split test --json out.json"

_RANGE = re.compile(r"(-?\d+)(?:-(\d+))?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    add_text_arguments(parser)
    parser.add_argument(
        "--gold",
        metavar="FILE",
        type=Path,
        help="where --source and --target are not aligned, as XTREME's Tatoeba: line i is the "
        "number, from 0, of the source line that target line i translates",
    )
    add_vector_arguments(parser)
    parser.add_argument(
        "--layers",
        metavar="LAYERS",
        help="also the score of each of these layers, in one pass over the text: all (with 0), "
        "1,4,8 or 1-8; the result is that of --layer, and where that is not set of the last one",
    )
    parser.set_defaults(layer=None)
    parser.add_argument(
        "--similarity",
        choices=("cosine", "csls", "margin"),
        default="cosine",
        help="cosine, as Tatoeba in XTREME; CSLS with 10 neighbours; or the ratio margin with 4, "
        "as in LASER",
    )
    parser.add_argument("--name", metavar="SYSTEM", help="the system's name in reports")
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")


def run(args: argparse.Namespace) -> None:
    """Prints accuracy per pair in percent with the settings, and writes the JSON."""
    files = parallel_files(args)
    if args.gold is not None and args.folder is not None:
        raise UserError("--gold goes with --source and --target; the files of --folder are aligned")
    texts = {pair.name: _read(pair, args.gold) for pair in files}
    for name, sides in texts.items():
        _note_duplicates(name, sides)
    encoder = load_encoder(args)
    from fairseq_amber.metrics.retrieval import NEIGHBOURS

    layer, layers = _chosen_layers(args, encoder)
    config = {
        **encoder.config,
        "layer": layer,
        "layers": encoder.num_layers,
        "pooling": args.pooling,
        "similarity": args.similarity,
        **({"neighbours": NEIGHBOURS[args.similarity]} if args.similarity in NEIGHBOURS else {}),
        "direction": "both: the score is their mean",
        **tested_on(args),
    }
    by_layer = {
        pair.name: _measure(encoder, pair, texts[pair.name], layers, args) for pair in files
    }
    per_language = {
        name: {**_parts(found, layer, args), "test_digest": digest_of(*texts[name])}
        for name, found in by_layer.items()
    }
    result = Result.from_languages(
        task="retrieval",
        metric="accuracy",
        system=args.name or str(args.checkpoint),
        per_language=per_language,
        config=config,
    )
    print(_table(result))
    print(
        f"accuracy in %; layer {config['layer']} of {config['layers']}, {args.pooling} pooling, "
        f"{args.similarity}; {checkpoint_note(args)}"
    )
    if args.layers is not None:
        print("\n" + _layer_table(per_language))
        print(
            "note: mean of both directions, * the best layer; a layer chosen here is chosen on the "
            "test data: choose it on other data before you compare its score"
        )
    if args.json:
        result.write(args.json, {name: _outcomes(found[layer]) for name, found in by_layer.items()})


def _read(pair: ParallelFiles, gold: Path | None) -> tuple[list[str], list[str]]:
    """Both sides, the source in the order of the target."""
    source, target = read_parallel(pair.source, pair.target)
    if gold is not None:
        source = [source[number] for number in read_order(gold, len(target))]
    return source, target


def parse_layers(text: str, num_layers: int) -> list[int]:
    """The layers that `all`, or numbers and ranges such as 1,4,8 or 1-4,-1, stand for, sorted.

    Raises:
        UserError: the text is none of that, or names a layer that the model does not have.
    """
    chosen: set[int] = set()
    for part in [f"0-{num_layers}"] if text == "all" else text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise UserError(f"--layers {text}: expected all, or such as 1,4,8 or 1-8")
        first = int(match[1]) + (num_layers + 1 if int(match[1]) < 0 else 0)
        last = first if match[2] is None else int(match[2])
        if not 0 <= first <= last <= num_layers:
            raise UserError(
                f"--layers {text}: the model has layers 1 to {num_layers} (0: embeddings)"
            )
        chosen.update(range(first, last + 1))
    return sorted(chosen)


def _chosen_layers(args: argparse.Namespace, encoder: Encoder) -> tuple[int, list[int]]:
    """The layer of the result, and all that are measured."""
    if args.layers is None:
        layer = encoder.resolve_layer(-1 if args.layer is None else args.layer)
        return layer, [layer]
    layers = parse_layers(args.layers, encoder.num_layers)
    layer = layers[-1] if args.layer is None else encoder.resolve_layer(args.layer)
    if layer not in layers:
        raise UserError(f"--layer {args.layer} is not among --layers {args.layers}")
    return layer, layers


def _measure(
    encoder: Encoder,
    pair: ParallelFiles,
    sides: Sequence[list[str]],
    layers: list[int],
    args: argparse.Namespace,
) -> dict[int, RetrievalAccuracy]:
    """The accuracy at each layer.

    Raises:
        UserError: a vector is NaN or infinite.
    """
    from fairseq_amber.metrics.retrieval import PASSES, retrieval_accuracy

    vectors = [
        encoder.embed_layers(
            side, layers, pooling=args.pooling, batch_tokens=args.batch_tokens, name=str(path)
        )
        for side, path in zip(sides, (pair.source, pair.target))
    ]
    found = {}
    cosines = len(layers) * PASSES[args.similarity] * len(sides[0]) * len(sides[1])
    with Progress(total=cosines, unit="cosines") as progress:
        for number, x, y in zip(layers, *vectors):
            progress.describe(f"searching {pair.name} at layer {number}")
            try:
                found[number] = retrieval_accuracy(
                    x, y, similarity=args.similarity, progress=progress.update
                )
            except ValueError as error:
                raise UserError(
                    f"{args.checkpoint}, layer {number}: {error}; use another checkpoint, or "
                    "--dtype float32 or bfloat16"
                ) from None
    return found


def _parts(
    by_layer: dict[int, RetrievalAccuracy], layer: int, args: argparse.Namespace
) -> dict[str, Any]:
    """What the JSON says of a pair."""
    accuracy = by_layer[layer]
    parts: dict[str, Any] = {
        "score": accuracy.mean,
        "forward": accuracy.forward,
        "backward": accuracy.backward,
        "n": accuracy.n,
    }
    if args.layers is not None:
        parts["layers"] = {str(number): found.mean for number, found in by_layer.items()}
    return parts


def _outcomes(accuracy: RetrievalAccuracy) -> dict[str, Any]:
    """The outcome of every sentence, in each direction."""
    return {
        "forward": accuracy_outcomes(accuracy.forward_found.numpy()),
        "backward": accuracy_outcomes(accuracy.backward_found.numpy()),
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


def _layer_table(per_language: dict[str, dict[str, Any]]) -> str:
    """Layers down, pairs across; the best of a column is marked."""
    columns = {name: parts["layers"] for name, parts in per_language.items()}
    if len(columns) > 1:
        scores = list(columns.values())
        columns["mean"] = {key: sum(s[key] for s in scores) / len(scores) for key in scores[0]}
    shown = {
        name: {layer: f"{score:.2f}" for layer, score in scores.items()}
        for name, scores in columns.items()
    }
    best = {name: f"{max(scores.values()):.2f}" for name, scores in columns.items()}
    rows = [
        [layer] + ["*" * (shown[name][layer] == best[name]) + shown[name][layer] for name in shown]
        for layer in next(iter(shown.values()))
    ]
    return plain_table(["layer", *columns], rows)


def _note_duplicates(name: str, sides: tuple[list[str], list[str]]) -> None:
    copies = sum(len(side) - len(set(side)) for side in sides)
    if copies:
        print(f"note: {name} has {copies} repeated lines; finding a copy counts as an error")
