"""``fairseq-amber prepare-task``: turns raw files of a task of XTREME into a task folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq_amber.data.finetuning.kinds import KINDS, task_names
from fairseq_amber.data.finetuning.task_folder import SPLITS
from fairseq_amber.errors import warn
from fairseq_amber.number_flags import process_count

SUMMARY = "check and encode the files of a task: tagging, sentence pairs, question answering"
EXAMPLE = (
    "fairseq-amber prepare-task pos data-bin/pos --tokenizer data-bin/de-en "
    "--train en=en_ewt.train.tsv \\\n      --valid en=en_ewt.dev.tsv --test de=de_gsd.test.tsv"
)
WRITES = ("out",)
_ROLES = {"train": "files to train on", "valid": "files to validate on", "test": "files to test on"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.description = f"{SUMMARY}\n\n{_raw_forms()}"
    tasks = task_names()
    parser.add_argument("task", choices=tasks, metavar="TASK", help=", ".join(tasks))
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="folder to write. If it holds the same task with the same labels and tokenizer, the "
        "splits and languages are added to it, in place of those it has",
    )
    parser.add_argument(
        "--tokenizer",
        type=Path,
        required=True,
        metavar="PATH",
        help="the tokenizer of the encoder to fine-tune: its data folder (with dict.txt and "
        "sentencepiece.bpe.model or vocab.txt), whose files are copied to OUT; OUT itself, to add "
        "to it; the encoder itself, as a folder of Hugging Face or a checkpoint_*.pt; or a "
        "tokenizer's file, whose pieces then make up dict.txt",
    )
    for split in SPLITS:
        parser.add_argument(
            f"--{split}",
            type=_source,
            action="append",
            default=[],
            metavar="LANG=FILE",
            help=f"{_ROLES[split]} in a language; may be repeated. Several files of a language are "
            "joined in that order",
        )
    parser.add_argument(
        "--xtreme",
        type=Path,
        metavar="DIR",
        help="take the files of XTREME's folder download: the English one of train, and those of "
        "every language of dev (valid) and test. Validation files of tydiqa have to be given, "
        "because XTREME has only the files it tests on",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="a file with the labels of pos and ner, one per line, in the order of their numbers "
        "(default: the labels of the training files, sorted, O first; without training files the "
        "labels of OUT)",
    )
    parser.add_argument(
        "--columns",
        type=_columns,
        metavar="N,N",
        help="the columns to read of files that have more, counted from 1: word and label for pos "
        "and ner, such as 2,4; the sentences and the label for xnli and pawsx, such as 2,3,4",
    )
    parser.add_argument(
        "--skip-misfits",
        action="store_true",
        help="leave out the questions with an answer that is not in its context where "
        "answer_start says, and count them; without this flag they are an error",
    )
    parser.add_argument(
        "--workers",
        type=process_count,
        help="number of processes; by default one for each core",
    )


def _raw_forms() -> str:
    lines = [f"  {', '.join(kind.tasks):11}   {kind.raw_form}" for kind in KINDS.values()]
    return "\n".join(
        [
            "files, in UTF-8:",
            *lines,
            "Test files may have blank labels or answers, as XTREME distributes them.",
        ]
    )


def run(args: argparse.Namespace) -> None:
    """Prepares the task, and prints its summary."""
    from fairseq_amber.preparation.task.examples import examples_class
    from fairseq_amber.preparation.task.pipeline import prepare_task
    from fairseq_amber.preparation.task.sources import collect_sources
    from fairseq_amber.preparation.task.summary import describe, warn_of_unknown

    given = {split: getattr(args, split) for split in SPLITS}
    result = prepare_task(
        args.task,
        args.out,
        tokenizer=args.tokenizer,
        sources=collect_sources(args.task, args.xtreme, given),
        labels=args.labels,
        columns=args.columns,
        skip_misfits=args.skip_misfits,
        workers=args.workers,
    )
    print(describe(examples_class(args.task).unit, result.counts))
    warn_of_unknown(result.counts)
    if result.vocabulary.unlisted:
        warn(
            f"{result.vocabulary.unlisted:,} pieces of the tokenizer are not in the dictionary: "
            "they become <unk>"
        )
    print(f"{args.out}: {args.task}, {result.vocabulary.size:,} entries in the dictionary")


def _source(text: str) -> tuple[str, Path]:
    language, equals, file = text.partition("=")
    if not (language and equals and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not LANG=FILE, such as en=train-en.tsv")
    return language, Path(file)


def _columns(text: str) -> list[int]:
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in text.split(",")]
    if 0 in numbers or len(set(numbers)) < len(numbers) or not 2 <= len(numbers) <= 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not two or three columns, such as 2,4")
    return numbers
