"""Command-line flags of the picture of sentence vectors, and the vectors they stand for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Mapping

import numpy as np

from fairseq_amber.data.sentence_batches import evenly_spread
from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.sentence_space import METHODS, Plane, check_languages, project
from fairseq_amber.files.parallel_text import choose_pairs, find_parallel, read_parallel


def add_space_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    group = parser.add_argument_group("picture of sentence vectors")
    group.add_argument(
        "--space",
        metavar="NAME=CHECKPOINT",
        action="append",
        default=[],
        help="draw the vectors of parallel sentences by language, in a panel for each checkpoint; "
        "may be repeated",
    )
    group.add_argument(
        "--space-folder",
        metavar="DIR",
        type=Path,
        help="where the sentences are: all files <split>.<src>-<tgt>.<lang> in it",
    )
    group.add_argument("--space-split", default="test", help="first part of their names")
    group.add_argument(
        "--space-pairs", metavar="PAIR,PAIR", help="these pairs alone; without it, all"
    )
    group.add_argument(
        "--space-sentences",
        type=int,
        default=50,
        metavar="N",
        help="of each pair, N lines evenly spread over the files; lines join translations where "
        "there are at most 200",
    )
    group.add_argument(
        "--space-method",
        choices=METHODS,
        default="pca",
        help="pca: the two directions of largest variance; tsne: keeps neighbours, not distances",
    )
    group.add_argument(
        "--space-layer", type=int, default=-1, help="layer of the states, whose mean is the vector"
    )
    group.add_argument(
        "--space-data",
        metavar="DATA_BIN",
        type=Path,
        help="folder with dict.txt and the tokenizer; without it, the one of each checkpoint",
    )


def sentence_planes(args: argparse.Namespace, checkpoints: Mapping[str, Path]) -> dict[str, Plane]:
    """What the flags describe, by name of the system.

    Raises:
        UserError: there are no such sentences, or a checkpoint cannot be read.
    """
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
        vectors = encoder.embed(lines, layer=args.space_layer).cpu().numpy()
        planes[name] = Plane(*project(vectors, args.space_method), languages, pairs)
    return planes


def _sides(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Language and lines of each side of each pair, target after source."""
    if args.space_folder is None:
        raise UserError("--space needs --space-folder DIR, which holds the sentences")
    if args.space_sentences < 2:
        raise UserError(f"--space-sentences {args.space_sentences} is less than 2")
    found = {pair.name: pair for pair in find_parallel(args.space_folder, args.space_split)}
    sides = []
    for name in choose_pairs(args.space_pairs, found, args.space_folder, flag="--space-pairs"):
        texts = read_parallel(found[name].source, found[name].target)
        places = evenly_spread(len(texts[0]), args.space_sentences)
        for language, text in zip(name.split("-"), texts):
            sides.append((language, [text[place] for place in places]))
    return sides
