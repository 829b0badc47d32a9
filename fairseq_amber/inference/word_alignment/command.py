"""``fairseq-amber align``: writes the word alignments of a parallel text."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Sequence, TextIO

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.parallel_text import ParallelFiles, language_of, read_parallel
from fairseq_amber.files.pictures import both_formats, check_format, import_matplotlib
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.inference.flags import (
    add_encoder_arguments,
    add_text_arguments,
    load_encoder,
    parallel_files,
)
from fairseq_amber.inference.word_alignment.flags import add_method_arguments, method_settings
from fairseq_amber.inference.word_alignment.link_files import format_pharaoh
from fairseq_amber.inference.word_alignment.provenance import write_settings
from fairseq_amber.metrics.word_alignment import Link
from fairseq_amber.number_flags import whole_number
from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.word_boundaries import KINDS
from fairseq_amber.tokenizers.word_splitters import Splitter, check_splitter, word_splitter

if TYPE_CHECKING:
    from fairseq_amber.inference.tokenizer import Tokenizer, WordPieces
    from fairseq_amber.inference.word_alignment.word_aligner import Aligner

SUMMARY = "write word alignments of sentence pairs in Pharaoh format (0-0 1-2), one pair per line"
EXAMPLE = (
    "fairseq-amber align checkpoint_best.pt --source test.de-en.de --target test.de-en.en "
    "--output de-en.align"
)
WRITES = ("output",)

_SCALES = {
    "attention": "product of the two attention maps",
    "similarity": "cosine",
    "itermax": "cosine",
    "transport": "mass, as a share of the smaller word's",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    add_text_arguments(parser)
    parser.add_argument(
        "--corpus",
        metavar="DATA_BIN",
        type=Path,
        help="in place of text, align the binarised pairs of a folder that fairseq-amber prepare "
        "has written, of --split and --pairs; line i has the links of pair i as training reads it",
    )
    parser.add_argument(
        "--method",
        choices=("similarity", "itermax", "attention", "transport"),
        default="similarity",
        help="how to score words; mutual best matches are linked. similarity: cosine of "
        "the states at --layer, for any encoder; itermax: the same, then more links are added "
        "among words without one; attention: product of the two attention maps that AMBER's word "
        "alignment trains; transport: optimal transport plan between the states at --layer",
    )
    parser.add_argument(
        "--layer",
        type=whole_number,
        default=-1,
        help="layer of the states for similarity, itermax and transport: 1 is the first, -1 the "
        "last, 0 the embeddings; attention reads the last layer only",
    )
    parser.add_argument(
        "--units",
        choices=("words", "subwords"),
        default="words",
        help="units that the links number. words: the words of a line, see "
        "--word-boundaries; subwords: the subwords that fairseq-amber prepare makes of it, for "
        "text without spaces. Links for training need the units of its --l2-units",
    )
    parser.add_argument(
        "--word-boundaries",
        choices=(*KINDS, "white-space"),
        default="spaces",
        help="how to split a line into words. spaces: at the spaces and tabs of ASCII, so that the "
        "tokens of a tokenised file keep their numbers, also those that hold U+00A0; white-space: "
        "also at the other spaces of Unicode, such as U+3000; punctuation: each mark of "
        "punctuation and each Chinese character is a word too, as in BERT's basic tokeniser; "
        "moses: by the Moses tokeniser",
    )
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-language",
            metavar="LANG",
            help=f"language of --{side} for --word-boundaries moses, two letters such as de; by "
            "default the language in the name of the file",
        )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write to this file, by default to the standard output; with --folder or --corpus, a "
        "folder that gets <split>.<src>-<tgt>.align for each pair. FILE.settings beside each file "
        "tells fairseq-amber aer how it was made",
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
    languages = args.source_language, args.target_language
    if args.word_boundaries != "moses" and any(languages):
        raise UserError("--source-language and --target-language are for --word-boundaries moses")
    if args.word_boundaries != "spaces" and args.units == "subwords":
        raise UserError("--word-boundaries is for --units words; leave one of them out")
    if args.corpus is None:
        _align_texts(args, settings)
    else:
        _align_corpora(args, settings)


def _align_texts(args: argparse.Namespace, settings: dict[str, Any]) -> None:
    files = parallel_files(args)
    if args.folder is not None and args.output is None:
        raise UserError("--folder needs --output FOLDER, which gets one file for each pair")
    splitters = [_splitters(pair, args) for pair in files]
    texts = [read_parallel(pair.source, pair.target) for pair in files]
    if args.units == "words" and args.word_boundaries == "spaces":
        for pair, text in zip(files, texts):
            _warn_of_other_spaces(pair.source, text[0])
            _warn_of_other_spaces(pair.target, text[1])
    line = None
    if args.plot is not None:
        if args.units != "words":
            raise UserError("--plot draws words; leave --units out")
        line = _line_number(args.plot[0], len(texts[0][0]))
        check_format(args.plot[1])
        import_matplotlib()

    encoder = load_encoder(args)
    from fairseq_amber.inference.word_alignment.word_aligner import Aligner, encode_units

    tokenizer = encoder.tokenizer
    aligner = Aligner(encoder, method=args.method, layer=args.layer, **settings)
    for number, (pair, text, split) in enumerate(zip(files, texts, splitters)):
        with _output(args, pair.name, aligner) as file:
            pieces = [encode_units(tokenizer, s, args.units, f) for s, f in zip(text, split)]
            links = list(_links(aligner, [pieces], len(text[0]), pair.name, args))
            file.writelines(format_pharaoh(found) + "\n" for found in links)
        if number == 0 and line is not None:
            source, target = (to_words(side[line]) for side, to_words in zip(text, split))
            _plot(tokenizer, aligner, source, target, links[line], args.plot[1])


def _splitters(pair: ParallelFiles, args: argparse.Namespace) -> tuple[Splitter, Splitter]:
    languages = args.source_language, args.target_language
    if args.folder is not None and any(languages):
        raise UserError("--folder names the languages; leave --source-language and the like out")
    return (
        _splitter(args.word_boundaries, pair.source, languages[0], "--source-language"),
        _splitter(args.word_boundaries, pair.target, languages[1], "--target-language"),
    )


def _splitter(kind: str, path: Path, language: str | None, flag: str) -> Splitter:
    """Returns the splitter of a file, whose language is by default the one in its name."""
    if kind == "moses":
        language = language or language_of(path)
        if language is None:
            raise UserError(
                f"--word-boundaries moses: {path} is not named <split>.<src>-<tgt>.<lang>; give "
                f"its language with {flag}"
            )
        check_splitter(kind, [language])
    return word_splitter(kind, language)


def _warn_of_other_spaces(path: Path, lines: Sequence[str]) -> None:
    """Warns of lines that only spaces outside ASCII separate, since each of them is one word."""
    split = word_splitter("spaces")
    found = [n for n, line in enumerate(lines, 1) if len(line.split()) > 1 == len(split(line))]
    if found:
        warn(
            f"{path}: {len(found)} lines, the first {found[0]}, have only spaces outside ASCII, "
            "such as U+3000, and are one word each; if these separate words, give "
            "--word-boundaries white-space"
        )


def _align_corpora(args: argparse.Namespace, settings: dict[str, Any]) -> None:
    if any(path is not None for path in (args.folder, args.source, args.target)):
        raise UserError("--corpus is in place of --folder and of --source and --target")
    if args.output is None:
        raise UserError("--corpus needs --output FOLDER, which gets one file for each pair")
    if args.word_boundaries != "spaces":
        raise UserError(
            "--word-boundaries is for text; links of a binarised corpus number the words between "
            "its spaces, as --l2-units does"
        )
    if args.plot is not None:
        raise UserError("--plot draws the words of a text; leave it out with --corpus")

    encoder = load_encoder(args)
    from fairseq_amber.inference.word_alignment.binarised_pairs import (
        finder_of,
        open_pairs,
        read_pairs,
        words_of,
    )
    from fairseq_amber.inference.word_alignment.word_aligner import Aligner

    aligner = Aligner(encoder, method=args.method, layer=args.layer, **settings)
    finder = finder_of(args.units, encoder)
    corpora = open_pairs(args.corpus, args.split, args.pairs, encoder)
    words = [words_of(corpus, finder) for corpus in corpora]
    for corpus, sides in zip(corpora, words):
        with _output(args, corpus.name, aligner) as file:
            pieces = read_pairs(corpus, sides)
            links = _links(aligner, pieces, len(corpus), corpus.name, args)
            file.writelines(format_pharaoh(found) + "\n" for found in links)


def _links(
    aligner: Aligner,
    chunks: Iterable[Sequence[Sequence[WordPieces]]],
    total: int,
    name: str,
    args: argparse.Namespace,
) -> Iterator[list[Link]]:
    """Yields the links of every pair in order, from chunks of sources and targets."""
    cut = 0
    with Progress(total=total, unit="pairs", what=f"aligning {name}") as progress:
        for sources, targets in chunks:
            cut += sum(map(aligner.cut_words, sources, targets))
            links: list[list[Link]] = [[] for _ in sources]
            for index, found in aligner.align(sources, targets, batch_tokens=args.batch_tokens):
                links[index] = found
                progress.update()
            yield from links
    if cut:
        warn(
            f"{cut} {args.units} of {name} lie beyond the model's {aligner.max_tokens} subwords "
            "and get no links"
        )


@contextmanager
def _output(args: argparse.Namespace, name: str, aligner: Aligner) -> Iterator[TextIO]:
    """Opens the file for the links of a language pair, and then records how they were made."""
    if args.output is None:
        yield sys.stdout
        return
    is_single_file = args.folder is None and args.corpus is None
    path = args.output if is_single_file else args.output / f"{args.split}.{name}.align"
    with atomic_writer(path) as file:
        yield file
    words = {"word_boundaries": args.word_boundaries} if args.units == "words" else {}
    write_settings(path, {**aligner.config, "units": args.units, **words})


def _line_number(text: str, lines: int) -> int:
    """Returns the index of a line, counted from 0, from its number, counted from 1."""
    if not text.isdecimal() or not 1 <= int(text) <= lines:
        raise UserError(f"--plot {text}: expected the number of a sentence pair, 1 to {lines}")
    return int(text) - 1


def _plot(
    tokenizer: Tokenizer,
    aligner: Aligner,
    source: list[str],
    target: list[str],
    links: list[Link],
    path: str,
) -> None:
    from fairseq_amber.inference.word_alignment.plot import plot_alignment

    x, y = tokenizer.encode_words([source, target])
    scores = aligner.word_scores(x, y, (len(source), len(target)))
    scale = _SCALES[aligner.method]
    plot_alignment(scores, source, target, links, both_formats(path), scale=scale)
