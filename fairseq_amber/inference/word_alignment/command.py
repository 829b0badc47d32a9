"""``fairseq-amber align``: writes the word alignments of a parallel text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Sequence

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.pictures import both_formats, check_format, import_matplotlib
from fairseq_amber.inference.flags import add_encoder_arguments, add_text_arguments, load_encoder
from fairseq_amber.inference.word_alignment.defaults import METHODS, SCALES
from fairseq_amber.inference.word_alignment.flags import (
    add_layer_arguments,
    add_method_arguments,
    add_unit_arguments,
    method_settings,
)
from fairseq_amber.inference.word_alignment.output_files import check_output, open_outputs
from fairseq_amber.inference.word_alignment.texts import Text, read_texts
from fairseq_amber.models.layer_number import layer_numbers
from fairseq_amber.progress import Progress

if TYPE_CHECKING:
    from fairseq_amber.inference.encoder import Encoder
    from fairseq_amber.inference.tokenizer import Tokenizer, WordPieces
    from fairseq_amber.inference.word_alignment.word_aligner import Aligner
    from fairseq_amber.inference.word_alignment.word_scores import Alignment

SUMMARY = "write word alignments of sentence pairs in Pharaoh format (0-0 1-2), one pair per line"
EXAMPLE = (
    "fairseq-amber align checkpoint_best.pt --source test.de-en.de --target test.de-en.en "
    "--output de-en.align"
)
WRITES = ("output",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    add_text_arguments(parser)
    parser.add_argument(
        "--text",
        metavar="FILE",
        type=Path,
        help="in place of --source and --target: a file with one pair in each line, source ||| "
        "target, as fast_align and awesome-align read it; a pair with an empty side has no links",
    )
    parser.add_argument(
        "--corpus",
        metavar="DATA_BIN",
        type=Path,
        help="in place of text, align the binarised pairs of a folder that fairseq-amber prepare "
        "has written, of --split and --pairs; line i has the links of pair i as training reads it",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="similarity",
        help="how to link words. similarity: mutual best matches by the cosine of the states at "
        "--layer, for any encoder; itermax: the same, then more links are added among words "
        "without one; attention: mutual best matches by the product of the two attention maps that "
        "AMBER's word alignment trains; transport: by the optimal transport plan between the "
        "states at --layer; softmax: all matches with a probability in both directions, by "
        "softmaxes of these cosines, as awesome-align; entmax: the same by a sparse softmax",
    )
    add_layer_arguments(parser)
    add_unit_arguments(parser)
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write to this file, by default to the standard output; with --folder or --corpus, a "
        "folder that gets <split>.<src>-<tgt>.align for each pair. FILE.settings beside each file "
        "tells fairseq-amber aer how it was made",
    )
    parser.add_argument(
        "--scores",
        action="store_true",
        help="also write FILE.scores beside each file of links: the scores of the links of each "
        "line, in their order; the score of two words is what --plot draws",
    )
    parser.add_argument(
        "--plot",
        nargs=2,
        metavar=("N", "PNG"),
        help="draw the scores of the N-th sentence pair, counted from 1, as a PNG and as an SVG "
        "picture; with --folder, the N-th of the first language pair",
    )
    add_method_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Aligns every pair; writes links, how they were made and, if asked for, one picture."""
    settings = method_settings(args)
    if args.word_boundaries != "moses" and (args.source_language or args.target_language):
        raise UserError("--source-language and --target-language are for --word-boundaries moses")
    if args.word_boundaries != "spaces" and args.units == "subwords":
        raise UserError("--word-boundaries is for --units words; leave one of them out")
    if args.as_written and args.units == "subwords":
        raise UserError("--as-written is for --units words; subwords are those of running text")
    if args.layers is not None and args.layer is not None:
        raise UserError("--layers is in place of --layer")
    if args.layers is not None and args.plot is not None:
        raise UserError("--plot draws one layer; give --layer in place of --layers")
    check_output(args)
    if args.corpus is None:
        _align_texts(args, settings)
    else:
        _align_corpora(args, settings)


def _align_texts(args: argparse.Namespace, settings: dict[str, Any]) -> None:
    texts = read_texts(args)
    line = None
    if args.plot is not None:
        if args.units != "words":
            raise UserError("--plot draws words; leave --units out")
        line = _line_number(args.plot[0], len(texts[0].source))
        check_format(args.plot[1])
        import_matplotlib()

    encoder = load_encoder(args)
    from fairseq_amber.inference.word_alignment.word_aligner import encode_units

    aligner, layers = _aligner(args, encoder, settings)
    for text in texts:
        sides = [
            encode_units(encoder.tokenizer, side, args.units, split, args.as_written)
            for side, split in zip((text.source, text.target), text.splitters)
        ]
        _write(aligner, layers, [sides], len(text.source), text.name, args)
    if line is not None:
        _plot(encoder.tokenizer, aligner, texts[0], line, args)


def _align_corpora(args: argparse.Namespace, settings: dict[str, Any]) -> None:
    if any(path is not None for path in (args.folder, args.source, args.target, args.text)):
        raise UserError("--corpus is in place of --folder and of --source and --target")
    if args.word_boundaries != "spaces":
        raise UserError(
            "--word-boundaries is for text; links of a binarised corpus number the words between "
            "its spaces, as --l2-units does"
        )
    if args.as_written:
        raise UserError("--as-written is for text; binarised pairs are of running text already")
    if args.plot is not None:
        raise UserError("--plot draws the words of a text; leave it out with --corpus")

    encoder = load_encoder(args)
    from fairseq_amber.inference.word_alignment.binarised_pairs import (
        finder_of,
        open_pairs,
        read_pairs,
        words_of,
    )

    aligner, layers = _aligner(args, encoder, settings)
    finder = finder_of(args.units, encoder)
    corpora = open_pairs(args.corpus, args.split, args.pairs, encoder)
    words = [words_of(corpus, finder) for corpus in corpora]
    for corpus, sides in zip(corpora, words):
        _write(aligner, layers, read_pairs(corpus, sides), len(corpus), corpus.name, args)


def _aligner(
    args: argparse.Namespace, encoder: Encoder, settings: dict[str, Any]
) -> tuple[Aligner, list[int]]:
    """Returns the aligner, and the layers whose links are wanted."""
    from fairseq_amber.inference.word_alignment.word_aligner import Aligner

    aligner = Aligner(encoder, method=args.method, layer=args.layer, **settings)
    if args.layers is None:
        return aligner, [aligner.layer]
    layers = layer_numbers("--layers", args.layers, encoder.num_layers)
    return aligner, [aligner.resolve_layer(layer) for layer in layers]


def _write(
    aligner: Aligner,
    layers: list[int],
    chunks: Iterable[Sequence[Sequence[WordPieces]]],
    total: int,
    name: str,
    args: argparse.Namespace,
) -> None:
    """Writes the links of a language pair at each layer, from chunks of sources and targets."""
    words = {"word_boundaries": args.word_boundaries} if args.units == "words" else {}
    if args.as_written:
        words["as_written"] = True
    made_with = [
        {**aligner.config, "layer": layer, "units": args.units, **words} for layer in layers
    ]
    with open_outputs(args, name, made_with) as write:
        for found in _alignments(aligner, layers, chunks, total, name, args):
            write(found)


def _alignments(
    aligner: Aligner,
    layers: list[int],
    chunks: Iterable[Sequence[Sequence[WordPieces]]],
    total: int,
    name: str,
    args: argparse.Namespace,
) -> Iterator[list[Alignment]]:
    """Yields the alignments of every pair at each layer, in order."""
    cut = 0
    with Progress(total=total, unit="pairs", what=f"aligning {name}") as progress:
        for sources, targets in chunks:
            cut += sum(map(aligner.cut_words, sources, targets))
            in_order: list[list[Alignment]] = [[] for _ in sources]
            for index, found in aligner.align_layers(
                sources, targets, layers, scores=args.scores, batch_tokens=args.batch_tokens
            ):
                in_order[index] = found
                progress.update()
            yield from in_order
    if cut:
        warn(
            f"{cut} {args.units} of {name} lie beyond the model's {aligner.max_tokens} subwords "
            "and get no links"
        )


def _line_number(text: str, lines: int) -> int:
    """Returns the index of a line, counted from 0, from its number, counted from 1."""
    if not text.isdecimal() or not 1 <= int(text) <= lines:
        raise UserError(f"--plot {text}: expected the number of a sentence pair, 1 to {lines}")
    return int(text) - 1


def _plot(
    tokenizer: Tokenizer, aligner: Aligner, text: Text, line: int, args: argparse.Namespace
) -> None:
    """Draws the scores and the links of one pair of sentences."""
    from fairseq_amber.inference.word_alignment.plot import plot_alignment

    sentences = text.source[line], text.target[line]
    source, target = (split(side) for split, side in zip(text.splitters, sentences))
    x, y = tokenizer.encode_words([source, target], args.as_written)
    [(_, links)] = aligner.align([x], [y])
    scores = aligner.word_scores(x, y, (len(source), len(target)))
    scale = SCALES[aligner.method]
    plot_alignment(scores, source, target, links, both_formats(args.plot[1]), scale=scale)
