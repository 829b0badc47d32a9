"""``fairseq-amber retrieve``: measures how often the translation of a sentence is found."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from fairseq_amber.errors import UserError, warn
from fairseq_amber.evaluation.layer_table import CHOSEN_ON_TEST_DATA, layer_table
from fairseq_amber.evaluation.tatoeba import (
    check_output,
    read_aligned,
    retrieval_files,
    write_found,
)
from fairseq_amber.files.digest import digest_of
from fairseq_amber.files.parallel_text import ParallelFiles
from fairseq_amber.files.results import Result, check_place
from fairseq_amber.files.tables import plain_table
from fairseq_amber.inference.flags import (
    add_encoder_arguments,
    add_text_arguments,
    add_vector_arguments,
    checkpoint_note,
    load_encoder,
    tested_on,
    vector_note,
    vector_settings,
)
from fairseq_amber.metrics.outcomes import accuracy_outcomes
from fairseq_amber.models.layer_number import layer_numbers
from fairseq_amber.progress import Progress

if TYPE_CHECKING:
    from fairseq_amber.inference.encoder import Encoder
    from fairseq_amber.metrics.retrieval import RetrievalAccuracy

SUMMARY = "accuracy of finding translations as nearest neighbours, in both directions"
EXAMPLE = "fairseq-amber retrieve checkpoint_best.pt --folder corpus --split test --json out.json"
WRITES = ("output", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    add_text_arguments(parser)
    parser.add_argument(
        "--gold",
        metavar="FILE",
        type=Path,
        help="for lines that are not aligned, such as XTREME's Tatoeba: line i of FILE is the "
        "number (from 0) of the source line that line i of the target translates; with --folder, "
        "the folder of the files test-<src>.tsv",
    )
    add_vector_arguments(parser)
    parser.add_argument(
        "--layers",
        metavar="LAYERS",
        help="also print the score of each of these layers, from one pass over the text: all (from "
        "0, the embeddings), 1,4,8 or 1-8. The result is the score of --layer, or of the last of "
        "these layers if --layer is not given",
    )
    parser.set_defaults(layer=None)
    parser.add_argument(
        "--similarity",
        choices=("cosine", "csls", "margin"),
        default="cosine",
        help="cosine, as XTREME scores Tatoeba; csls with 10 neighbours; or margin, the ratio "
        "margin of LASER with 4 neighbours",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help="also write the lines that were found: DIR/tatoeba/test-<src>.tsv, as XTREME takes "
        "them, and DIR/<pair>.forward.tsv and backward.tsv, with the similarity of each",
    )
    parser.add_argument("--name", metavar="SYSTEM", help="name of the system in reports")
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")


def run(args: argparse.Namespace) -> None:
    """Prints the accuracy of each language pair in percent with the settings; writes what the flags
    ask for."""
    files = retrieval_files(args)
    if args.json:
        check_place(args.json)
    if args.output is not None:
        check_output(args.output, [pair.name for pair in files])
    texts = {pair.name: read_aligned(pair, args.gold) for pair in files}
    for name, text in texts.items():
        _warn_of_duplicates(name, (text.source, text.target))
    encoder = load_encoder(args)
    from fairseq_amber.metrics.retrieval import NEIGHBOURS

    layer, layers = _chosen_layers(args, encoder)
    config = {
        **encoder.config,
        "layer": layer,
        "layers": encoder.num_layers,
        **vector_settings(args),
        "similarity": args.similarity,
        **({"neighbours": NEIGHBOURS[args.similarity]} if args.similarity in NEIGHBOURS else {}),
        "direction": "both: the score is their mean",
        **tested_on(args),
    }
    by_layer = {
        pair.name: _measure(encoder, pair, texts[pair.name][:2], layers, args) for pair in files
    }
    per_language = {
        name: {**_parts(found, layer, args), "test_digest": digest_of(*texts[name][:2])}
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
        f"accuracy in %; layer {config['layer']} of {config['layers']}, {vector_note(args)}, "
        f"{args.similarity}; {checkpoint_note(args)}"
    )
    if args.layers is not None:
        print("\n" + layer_table({name: p["layers"] for name, p in per_language.items()}, max))
        print(f"note: each score is the mean of both directions; {CHOSEN_ON_TEST_DATA}")

    def write_json() -> None:
        if args.json:
            outcomes = {name: _outcomes(found[layer]) for name, found in by_layer.items()}
            result.write(args.json, outcomes)

    if args.output is None:
        write_json()
    else:
        found = {name: layers[layer].neighbours for name, layers in by_layer.items()}
        write_found(args.output, texts, found, write_json)


def _chosen_layers(args: argparse.Namespace, encoder: Encoder) -> tuple[int, list[int]]:
    """Returns the layer of the result, and all layers to measure."""
    if args.layers is None:
        layer = encoder.resolve_layer(-1 if args.layer is None else args.layer)
        return layer, [layer]
    layers = layer_numbers("--layers", args.layers, encoder.num_layers)
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
    """Measures the accuracy of one language pair at each layer.

    Raises:
        UserError: a vector is NaN or infinite.
    """
    from fairseq_amber.metrics.retrieval import PASSES, retrieval_accuracy

    vectors = [
        encoder.embed_layers(
            side,
            layers,
            pooling=args.pooling,
            prefix=args.prefix,
            batch_tokens=args.batch_tokens,
            name=str(path),
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
    """Returns the scores of one language pair for the JSON."""
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
    """Returns the outcome of every sentence, in each direction."""
    return {
        "forward": accuracy_outcomes(accuracy.forward_found.numpy()),
        "backward": accuracy_outcomes(accuracy.backward_found.numpy()),
    }


def _table(result: Result) -> str:
    """Returns a table of the accuracy of each language pair in both directions, and their mean."""
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


def _warn_of_duplicates(name: str, sides: tuple[list[str], list[str]]) -> None:
    """Warns if lines of one side are equal, since only one of them counts as the translation."""
    copies = sum(len(side) - len(set(side)) for side in sides)
    if copies:
        warn(f"{name} has {copies} repeated lines; finding a copy counts as an error")
