"""``fairseq-amber prepare``: turns raw text into a data folder.

This plugin and stock fairseq read the folder.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from fairseq_amber.errors import warn
from fairseq_amber.number_flags import (
    positive_int32,
    positive_share,
    positive_whole_number,
    process_count,
    ratio_limit,
    whole_number,
)
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings

SUMMARY = "learn or take a vocabulary, then check, filter and binarise text for fairseq"
EXAMPLE = "fairseq-amber prepare raw data-bin/de-en --vocab-size 8000"
RESUMES = True
WRITES = ("data_bin",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "raw",
        type=Path,
        metavar="RAW",
        help="folder with {train,valid,test}.<src>-<tgt>.<lang> (aligned lines) and "
        "{train,valid}.<lang> (one sentence per line), also compressed as .gz, .bz2, .xz or .zst; "
        "dev is another name of valid, train1.<lang> holds more lines of train.<lang>, and other "
        "files that look like text are named",
    )
    parser.add_argument("data_bin", type=Path, metavar="DATA_BIN", help="folder to write")
    parser.add_argument("--languages", type=_names, metavar="DE,EN", help="prepare only these")
    parser.add_argument(
        "--pairs",
        type=_names,
        metavar="DE-EN,..",
        help="prepare only these pairs, and all monolingual text",
    )
    parser.add_argument(
        "--mono-from-parallel",
        choices=("missing", "always", "never"),
        default="missing",
        help="whether the sides of the parallel text are monolingual text too; missing: only for "
        "a language that has no monolingual file of that split",
    )
    parser.add_argument(
        "--word-boundaries",
        choices=("spaces", "moses"),
        help="keep where the words of the text begin, in a file of one bit for each token beside "
        "every .bin: spaces: words between spaces, which WordPiece does not show (for training's "
        "--word-boundaries spaces and --l2-units words); moses: the tokens of the Moses tokeniser "
        "(for training's --word-boundaries moses; the words of arXiv 2110.02887); by default none "
        "is kept, and training has the words of --word-boundaries punctuation",
    )
    parser.add_argument(
        "--workers",
        type=process_count,
        help="number of processes (default: one for each core)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what DATA_BIN holds, if it was made from other text or settings",
    )
    _add_vocabulary_arguments(parser.add_argument_group("vocabulary"))
    _add_filter_arguments(
        parser.add_argument_group(
            "filters", "of training and validation text; the test split is kept whole"
        )
    )


def _add_vocabulary_arguments(group) -> None:
    defaults = VocabularySettings()
    size_or_path = group.add_mutually_exclusive_group()
    size_or_path.add_argument(
        "--vocab-size",
        type=positive_int32,
        default=defaults.vocab_size,
        help="largest number of SentencePiece pieces to learn; 32000 is usual for a few languages, "
        "and XLM-R has 250000 for a hundred",
    )
    size_or_path.add_argument(
        "--tokenizer",
        "--sentencepiece",
        type=Path,
        metavar="PATH",
        help="use this tokenizer instead of learning one: a SentencePiece model, such as XLM-R's "
        "sentencepiece.bpe.model; a WordPiece vocabulary, such as BERT's vocab.txt (with the "
        "tokenizer_config.json beside it); a folder that holds one of them and may hold its "
        "dict.txt, such as a DATA_BIN; or the model that is to read the text: a folder of Hugging "
        "Face or a checkpoint_*.pt, whose dictionary is then taken as it is",
    )
    group.add_argument(
        "--dict",
        type=Path,
        metavar="DICT",
        dest="dictionary",
        help="fairseq dictionary of the tokenizer PATH (default: the one in the folder PATH, else "
        "the pieces of PATH in their order, as for XLM-R)",
    )
    group.add_argument(
        "--model-type",
        choices=("unigram", "bpe"),
        default=defaults.model_type,
        help="SentencePiece's algorithm",
    )
    group.add_argument(
        "--character-coverage",
        type=positive_share,
        default=defaults.character_coverage,
        help="share of the characters of the text that the pieces cover",
    )
    group.add_argument(
        "--vocab-alpha",
        type=positive_share,
        default=defaults.vocab_alpha,
        help="sample each language in proportion to its lines ** ALPHA; 1 samples them as they "
        "are, and mBERT has 0.7",
    )
    group.add_argument(
        "--vocab-sentences",
        type=positive_int32,
        default=defaults.vocab_sentences,
        help="largest number of lines to learn from; memory grows with them",
    )
    group.add_argument(
        "--seed", type=whole_number, default=defaults.seed, help="seed of the sample of lines"
    )


def _add_filter_arguments(group) -> None:
    defaults = FilterSettings()
    group.add_argument(
        "--max-length",
        type=positive_whole_number,
        default=defaults.max_length,
        help="largest number of subwords on each side of a pair; 254 fits twice into 512 positions",
    )
    group.add_argument(
        "--max-mono-length",
        type=positive_whole_number,
        default=defaults.max_mono_length,
        help="largest number of subwords in a monolingual line; 510 fits into 512 positions",
    )
    group.add_argument(
        "--max-ratio",
        type=ratio_limit,
        default=defaults.max_ratio,
        help="largest ratio of the subwords of the longer side to those of the shorter, where a "
        "side below 5 counts as 5; 0 for no limit",
    )
    group.add_argument(
        "--deduplicate",
        action="store_true",
        help="keep only the first of equal training lines or pairs (70 bytes of memory for each)",
    )


def run(args: argparse.Namespace) -> None:
    """Prepares the folder, prints a table of what it holds, and warns of what limits it."""
    from fairseq_amber.preparation.corpus.pipeline import prepare
    from fairseq_amber.preparation.corpus.summary import describe, warnings

    result = prepare(
        args.raw,
        args.data_bin,
        vocabulary=VocabularySettings(**_values(args, VocabularySettings)),
        tokenizer=args.tokenizer,
        dictionary=args.dictionary,
        filters=FilterSettings(**_values(args, FilterSettings)),
        languages=args.languages,
        pairs=args.pairs,
        mono_from_parallel=args.mono_from_parallel,
        word_boundaries=args.word_boundaries,
        workers=args.workers,
        overwrite=args.overwrite,
    )
    print(describe(result, args.data_bin))
    for message in warnings(result):
        warn(message)


def _values(args: argparse.Namespace, settings: type) -> dict[str, Any]:
    return {field.name: getattr(args, field.name) for field in fields(settings)}


def _names(text: str) -> list[str]:
    return text.replace(",", " ").split()
