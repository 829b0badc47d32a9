"""``fairseq-amber demo-corpus``: writes the synthetic corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq_amber.number_flags import whole_number

SUMMARY = "write a synthetic corpus in German, English, Russian and Turkish, with gold alignments"
EXAMPLE = "fairseq-amber demo-corpus demo-raw --pairs de-en de-ru --seed 1"
WRITES = ("directory",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of the command."""
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="folder for the corpus; it must be new or empty"
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="SRC-TGT",
        default=["de-en", "ru-en", "tr-en"],
        help="language pairs of de, en, ru and tr; line i of every pair has the same meaning",
    )
    for flag, default, text in (
        ("--train-sentences", 24000, "training pairs for each language pair, all different"),
        (
            "--valid-sentences",
            500,
            "validation pairs for each language pair, and validation sentences for each language",
        ),
        (
            "--test-sentences",
            1000,
            "test pairs for each language pair, each with a combination of words that no other "
            "split has",
        ),
        (
            "--mono-sentences",
            10000,
            "monolingual training sentences for each language; 0 writes no monolingual text",
        ),
    ):
        parser.add_argument(flag, type=whole_number, default=default, metavar="N", help=text)
    parser.add_argument(
        "--seed", type=whole_number, default=1, metavar="S", help="seed of the random choices"
    )
    parser.add_argument(
        "--train-gold", action="store_true", help="write gold alignments for the train split too"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the corpus unless the folder holds it already, and prints what it did.

    Raises:
        UserError: a flag is wrong, or the folder holds something else.
    """
    from fairseq_amber.demo_corpus.corpus import Settings
    from fairseq_amber.demo_corpus.writer import write

    settings = Settings(
        pairs=tuple(args.pairs),
        train_sentences=args.train_sentences,
        valid_sentences=args.valid_sentences,
        test_sentences=args.test_sentences,
        mono_sentences=args.mono_sentences,
        seed=args.seed,
        train_gold=args.train_gold,
    )
    settings.check()
    print(write(args.directory, settings))
