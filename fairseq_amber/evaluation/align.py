"""``fairseq-amber align``: word alignments of a parallel text."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, ContextManager, TextIO

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.flags import (
    add_encoder_arguments,
    add_text_arguments,
    load_encoder,
    parallel_files,
)
from fairseq_amber.evaluation.pictures import check_format
from fairseq_amber.evaluation.text_files import ParallelFiles, atomic_writer, read_parallel
from fairseq_amber.evaluation.word_alignment import Link, format_pharaoh

if TYPE_CHECKING:
    from fairseq_amber.evaluation.aligner import Aligner
    from fairseq_amber.evaluation.encoder import Encoder

SUMMARY = "word alignments of sentence pairs in Pharaoh format (0-0 1-2), one pair a line"
EXAMPLE = (
    "fairseq-amber align checkpoint_best.pt --source test.de-en.de --target test.de-en.en "
    "--output de-en.align"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    add_text_arguments(parser)
    parser.add_argument(
        "--method",
        choices=("similarity", "attention"),
        default="similarity",
        help="similarity: mutual best matches under the cosine of states at --layer, for any "
        "encoder; attention: under the product of the two attention maps that AMBER's word "
        "alignment trains",
    )
    parser.add_argument(
        "--layer",
        type=int,
        default=-1,
        help="layer of the states for similarity: 1 is the first, -1 the last, 0 the embeddings; "
        "attention has the last alone",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write here in place of the standard output; with --folder, a folder that gets "
        "<split>.<src>-<tgt>.align for each pair",
    )
    parser.add_argument(
        "--plot",
        nargs=2,
        metavar=("N", "PNG"),
        help="draw the scores of the N-th sentence pair (from 1) as a picture; with --folder, of "
        "the first language pair",
    )


def run(args: argparse.Namespace) -> None:
    """Aligns every pair of files; writes Pharaoh lines and, if asked for, one picture."""
    files = parallel_files(args)
    if args.folder is not None and args.output is None:
        raise UserError("--folder needs --output FOLDER, which gets one file for each pair")
    texts = [
        tuple([line.split() for line in side] for side in read_parallel(pair.source, pair.target))
        for pair in files
    ]
    line = None
    if args.plot is not None:
        line = _line_number(args.plot[0], len(texts[0][0]))
        check_format(args.plot[1])

    encoder = load_encoder(args)
    from fairseq_amber.evaluation.aligner import Aligner

    aligner = Aligner(encoder, method=args.method, layer=args.layer)
    for number, (pair, (sources, targets)) in enumerate(zip(files, texts)):
        with _output(args, pair) as file:
            links = _align(encoder, aligner, pair, sources, targets, args.batch_tokens)
            file.writelines(format_pharaoh(found) + "\n" for found in links)
        if number == 0 and line is not None:
            _plot(encoder, aligner, sources[line], targets[line], links[line], args.plot[1])


def _align(
    encoder: Encoder,
    aligner: Aligner,
    pair: ParallelFiles,
    sources: list[list[str]],
    targets: list[list[str]],
    batch_tokens: int,
) -> list[list[Link]]:
    from tqdm import tqdm

    x, y = (encoder.tokenizer.encode_words(side) for side in (sources, targets))
    cut = sum(map(aligner.cut_words, x, y))
    if cut:
        print(
            f"fairseq-amber: warning: {cut} words of {pair.name} lie beyond the model's "
            f"{encoder.max_tokens} subwords and stay without links",
            file=sys.stderr,
        )
    links: list[list[Link]] = [[] for _ in sources]
    aligned = aligner.align(x, y, batch_tokens=batch_tokens)
    for index, found in tqdm(aligned, total=len(x), unit=" pairs", leave=False, disable=None):
        links[index] = found
    return links


def _output(args: argparse.Namespace, pair: ParallelFiles) -> ContextManager[TextIO]:
    if args.output is None:
        return nullcontext(sys.stdout)
    if args.folder is None:
        return atomic_writer(args.output)
    return atomic_writer(args.output / f"{args.split}.{pair.name}.align")


def _line_number(text: str, lines: int) -> int:
    """A line counted from 0, from one counted from 1."""
    if not text.isdigit() or not 1 <= int(text) <= lines:
        raise UserError(f"--plot {text}: expected the number of a sentence pair, 1 to {lines}")
    return int(text) - 1


def _plot(
    encoder: Encoder,
    aligner: Aligner,
    source: list[str],
    target: list[str],
    links: list[Link],
    path: str,
) -> None:
    from fairseq_amber.evaluation.alignment_plot import plot_alignment

    x, y = encoder.tokenizer.encode_words([source, target])
    scores = aligner.word_scores(x, y, (len(source), len(target)))
    plot_alignment(scores, source, target, links, path)
