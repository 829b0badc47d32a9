"""The flags --space..., and the projected sentence vectors that they ask for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Mapping

import numpy as np

from fairseq_amber.data.batches_by_length import evenly_spread
from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.sentence_space import (
    METHODS,
    Plane,
    check_languages,
    import_sklearn,
    project,
)
from fairseq_amber.files.parallel_text import (
    choose_pairs,
    find_parallel,
    language_of,
    read_parallel,
)
from fairseq_amber.files.pictures import import_matplotlib
from fairseq_amber.inference.flags import add_prefix_argument
from fairseq_amber.number_flags import positive_whole_number, whole_number

_DEFAULTS = {
    "folder": None,
    "split": "test",
    "pairs": None,
    "sentences": 50,
    "method": "pca",
    "layer": -1,
    "prefix": "",
    "data": None,
}


def add_space_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    group = parser.add_argument_group("picture of sentence vectors")
    group.add_argument(
        "--space",
        metavar="NAME=CHECKPOINT",
        action="append",
        default=[],
        help="draw the vectors of parallel sentences, coloured by language, in one panel for each "
        "checkpoint; may be repeated",
    )
    group.add_argument(
        "--space-folder",
        metavar="DIR",
        type=Path,
        help="folder with the sentences, in files <split>.<src>-<tgt>.<lang>",
    )
    group.add_argument(
        "--space-split", default=_DEFAULTS["split"], help="<split> in the names of the files"
    )
    group.add_argument(
        "--space-pairs",
        metavar="PAIR,PAIR",
        help="draw only these language pairs; without it, all pairs of the folder",
    )
    group.add_argument(
        "--space-sentences",
        type=positive_whole_number,
        default=_DEFAULTS["sentences"],
        metavar="N",
        help="draw N sentences of each language pair, taken at even distances from the files; "
        "lines join translations if there are at most 200 of them",
    )
    group.add_argument(
        "--space-method",
        choices=METHODS,
        default=_DEFAULTS["method"],
        help="pca keeps the two directions of largest variance; tsne keeps neighbours together, "
        "but not distances",
    )
    group.add_argument(
        "--space-layer",
        type=whole_number,
        default=_DEFAULTS["layer"],
        help="layer whose states are averaged to a sentence vector; -1 is the last",
    )
    add_prefix_argument(group, "--space-prefix")
    group.add_argument(
        "--space-data",
        metavar="DATA_BIN",
        type=Path,
        help="folder with dict.txt and the tokenizer; without it, the folder that each checkpoint "
        "names",
    )


def check_used(args: argparse.Namespace) -> None:
    """Checks that no setting of the picture is given without a checkpoint to draw.

    Raises:
        UserError: one is.
    """
    for name, default in _DEFAULTS.items():
        if not args.space and getattr(args, f"space_{name}") != default:
            raise UserError(
                f"--space-{name} has no effect without --space NAME=CHECKPOINT; add one, or leave "
                "it out"
            )


def sentence_planes(args: argparse.Namespace, checkpoints: Mapping[str, Path]) -> dict[str, Plane]:
    """Embeds the sentences with each checkpoint, and projects their vectors to the plane.

    Args:
        args: the parsed flags.
        checkpoints: the checkpoint of each system, by the system's name.

    Raises:
        UserError: there are no such sentences, a checkpoint cannot be read, or a package is
            missing that the picture needs.
    """
    import_sklearn()
    import_matplotlib()
    sides = _sides(args)
    languages = [language for language, lines in sides for _ in lines]
    check_languages(languages)
    starts = np.cumsum([0] + [len(lines) for _, lines in sides])
    pairs = np.concatenate(
        [
            np.stack([np.arange(x, y), np.arange(y, z)], axis=1)
            for x, y, z in zip(starts[::2], starts[1::2], starts[2::2])
        ]
    )
    lines = [line for _, side in sides for line in side]

    from fairseq_amber.inference.encoder import Encoder

    planes = {}
    for name, checkpoint in checkpoints.items():
        encoder = Encoder.load(checkpoint, data=args.space_data)
        vectors = encoder.embed(lines, layer=args.space_layer, prefix=args.space_prefix)
        planes[name] = Plane(*project(vectors.cpu().numpy(), args.space_method), languages, pairs)
    return planes


def _sides(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Returns the language and the chosen lines of each side of each pair, source before target."""
    if args.space_folder is None:
        raise UserError("--space needs --space-folder DIR, which holds the sentences")
    if args.space_sentences < 2:
        raise UserError(f"--space-sentences {args.space_sentences} is less than 2")
    found = {pair.name: pair for pair in find_parallel(args.space_folder, args.space_split)}
    sides = []
    for name in choose_pairs(args.space_pairs, found, args.space_folder, flag="--space-pairs"):
        texts = read_parallel(found[name].source, found[name].target)
        places = evenly_spread(len(texts[0]), args.space_sentences)
        for path, text in zip(found[name][1:], texts):
            sides.append((language_of(path) or path.name, [text[place] for place in places]))
    return sides
