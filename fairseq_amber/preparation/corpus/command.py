"""``fairseq-amber prepare``: raw text to a data folder that this plugin and stock fairseq read."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from fairseq_amber.number_flags import count
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings

SUMMARY = "learn or take a vocabulary; check, filter and binarise text for fairseq"
EXAMPLE = "fairseq-amber prepare raw data-bin/de-en --vocab-size 8000"
RESUMES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "raw",
        type=Path,
        metavar="RAW",
        help="folder with {train,valid,test}.<src>-<tgt>.<lang> (aligned lines) and "
        "{train,valid}.<lang>; dev is another name of valid, other files are ignored",
    )
    parser.add_argument("data_bin", type=Path, metavar="DATA_BIN", help="folder to write")
    parser.add_argument("--languages", type=_names, metavar="DE,EN", help="only these")
    parser.add_argument(
        "--pairs", type=_names, metavar="DE-EN,..", help="only these pairs (monolingual text stays)"
    )
    parser.add_argument(
        "--mono-from-parallel",
        choices=("missing", "always", "never"),
        default="missing",
        help="use the sides of the parallel text as monolingual text too; missing: where a "
        "language has no monolingual file of that split",
    )
    parser.add_argument("--workers", type=count, help="processes; one for each core if not given")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what DATA_BIN holds where it was made from other text or settings",
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
        type=count,
        default=defaults.vocab_size,
        help="SentencePiece pieces to learn, at most; 32000 is customary for a few languages, "
        "XLM-R has 250000 for a hundred",
    )
    size_or_path.add_argument(
        "--tokenizer",
        "--sentencepiece",
        type=Path,
        metavar="PATH",
        help="take this and learn none: a SentencePiece model, such as XLM-R's "
        "sentencepiece.bpe.model; a WordPiece vocabulary, BERT's vocab.txt (with the "
        "tokenizer_config.json beside it); or a folder that holds one of them, perhaps with its "
        "dict.txt, such as a DATA_BIN",
    )
    group.add_argument(
        "--dict",
        type=Path,
        metavar="DICT",
        dest="dictionary",
        help="fairseq dictionary of PATH (default: the one in the folder PATH, else the pieces of "
        "PATH in their order, as XLM-R)",
    )
    group.add_argument("--model-type", choices=("unigram", "bpe"), default=defaults.model_type)
    group.add_argument(
        "--character-coverage",
        type=_share,
        default=defaults.character_coverage,
        help="share of the characters of the text to cover, SentencePiece's default",
    )
    group.add_argument(
        "--vocab-alpha",
        type=_share,
        default=defaults.vocab_alpha,
        help="sample languages in proportion to lines ** ALPHA, 1 as they are (0.7: mBERT)",
    )
    group.add_argument(
        "--vocab-sentences",
        type=count,
        default=defaults.vocab_sentences,
        help="learn from this many lines at most; memory grows with them",
    )
    group.add_argument("--seed", type=int, default=defaults.seed, help="of the sampled lines")


def _add_filter_arguments(group) -> None:
    defaults = FilterSettings()
    group.add_argument(
        "--max-length",
        type=count,
        default=defaults.max_length,
        help="subwords on each side of a pair; 254 is what fits twice into 512 positions",
    )
    group.add_argument(
        "--max-mono-length",
        type=count,
        default=defaults.max_mono_length,
        help="subwords of a monolingual line; 510 is what fits into 512 positions",
    )
    group.add_argument(
        "--max-ratio",
        type=_ratio,
        default=defaults.max_ratio,
        help="subwords of the longer side over those of the shorter, below 5 counting as 5; 0: any",
    )
    group.add_argument(
        "--deduplicate",
        action="store_true",
        help="drop all but the first of equal training lines or pairs (70 bytes of memory each)",
    )


def run(args: argparse.Namespace) -> None:
    from fairseq_amber.preparation.corpus.pipeline import prepare
    from fairseq_amber.preparation.corpus.summary import describe

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
        workers=args.workers,
        overwrite=args.overwrite,
    )
    print(describe(result, args.data_bin))


def _values(args: argparse.Namespace, settings: type) -> dict[str, Any]:
    return {field.name: getattr(args, field.name) for field in fields(settings)}


def _names(text: str) -> list[str]:
    return [name for name in text.replace(",", " ").split()]


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return number


def _ratio(text: str) -> float:
    number = float(text)
    if number != 0 and not number >= 1:
        raise argparse.ArgumentTypeError(f"{text} is neither 0 nor at least 1")
    return number
