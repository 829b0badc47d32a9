"""``fairseq-amber demo-corpus``: writes the synthetic corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "write a synthetic corpus in German, English, Russian and Turkish, with gold alignments"
EXAMPLE = "fairseq-amber demo-corpus demo-raw --pairs de-en de-ru --seed 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="the folder to write; new or empty"
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="SRC-TGT",
        default=["de-en", "ru-en", "tr-en"],
        help="language pairs, of de, en, ru and tr; all hold the same meanings, line by line",
    )
    for flag, default, text in (
        ("--train-sentences", 24000, "distinct sentence pairs to train on, for each language pair"),
        ("--valid-sentences", 500, "sentence pairs, and monolingual sentences, to validate on"),
        ("--test-sentences", 1000, "sentence pairs to test on, each with a held-out combination"),
        ("--mono-sentences", 10000, "monolingual sentences for each language; 0 for none"),
    ):
        parser.add_argument(flag, type=int, default=default, metavar="N", help=text)
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the draw of meanings")
    parser.add_argument(
        "--train-gold", action="store_true", help="write gold alignments of the train split too"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the corpus, or says that it is there.

    Raises:
        UserError: a bad flag, or a folder that holds something else.
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
