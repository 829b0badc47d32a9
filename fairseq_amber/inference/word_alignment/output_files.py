"""Where ``fairseq-amber align`` writes links, their scores, and how they were made.

The links of one text are a file; those of a folder or a binarised corpus are a folder that has
``<split>.<src>-<tgt>.align`` for each language pair. The links of several layers are a folder that
has for each layer such a file, ``layer-<n>.align``, or such a folder, ``layer-<n>``. X.scores and
X.settings lie beside each file of links X.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Sequence, TextIO

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.compressed import plain_name
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.inference.word_alignment.link_files import format_pharaoh
from fairseq_amber.inference.word_alignment.provenance import write_settings

if TYPE_CHECKING:
    from fairseq_amber.inference.word_alignment.word_scores import Alignment

_LAYER = re.compile(r"layer-([0-9]{1,4})(\.align)?")


def layer_of(path: Path) -> int | None:
    """Returns the layer of a file or a folder among those of several layers; None for another."""
    match = _LAYER.fullmatch(plain_name(path.name))
    return int(match[1]) if match and bool(match[2]) != path.is_dir() else None


def check_output(args: argparse.Namespace) -> None:
    """Checks that there is an output where one is needed.

    Raises:
        UserError: there is none.
    """
    if args.output is not None:
        return
    for flag, value in (("--folder", args.folder), ("--corpus", args.corpus)):
        if value is not None:
            raise UserError(f"{flag} needs --output FOLDER, which gets one file for each pair")
    if args.layers is not None:
        raise UserError("--layers needs --output FOLDER, which gets the links of each layer")
    if args.scores:
        raise UserError("--scores needs --output FILE, beside which it writes FILE.scores")


@contextmanager
def open_outputs(
    args: argparse.Namespace, name: str, settings: Sequence[Mapping[str, Any]]
) -> Iterator[Callable[[Sequence[Alignment]], None]]:
    """Opens the files of a language pair, which appear once the block has ended without error.

    Args:
        args: the flags.
        name: the name of the pair.
        settings: how the links of each layer were made; its ``layer`` is the layer.

    Yields:
        A function that writes the alignments of one pair of sentences, one for each layer.
    """
    if args.output is None:
        yield partial(_write, [sys.stdout], [])
        return
    paths = [_path(args, name, each["layer"]) for each in settings]
    with ExitStack() as stack:
        links, scores = (
            [stack.enter_context(atomic_writer(path)) for path in each]
            for each in (paths, map(_scores_path, paths) if args.scores else ())
        )
        yield partial(_write, links, scores)
        for file in (*links, *scores):
            file.flush()  # the disk has room for all files before one of them appears
    for path, each in zip(paths, settings):
        write_settings(path, each)
        if not args.scores and _scores_path(path).exists():
            warn(f"{_scores_path(path)} holds the scores of other links; delete it")


def _write(links: list[TextIO], scores: list[TextIO], found: Sequence[Alignment]) -> None:
    """Writes the alignments of one pair of sentences, one for each layer."""
    for file, alignment in zip(links, found):
        file.write(format_pharaoh(alignment.links) + "\n")
    for file, alignment in zip(scores, found):
        file.write(" ".join(f"{score:.6f}" for score in alignment.scores or ()) + "\n")


def _path(args: argparse.Namespace, name: str, layer: int) -> Path:
    """Returns the path of the links of a language pair at a layer."""
    if args.folder is None and args.corpus is None:
        return args.output if args.layers is None else args.output / f"layer-{layer}.align"
    folder = args.output if args.layers is None else args.output / f"layer-{layer}"
    return folder / f"{args.split}.{name}.align"


def _scores_path(links: Path) -> Path:
    return links.with_name(links.name + ".scores")
