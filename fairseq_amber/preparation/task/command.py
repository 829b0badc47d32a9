"""``fairseq-amber prepare-task``: the raw files of one of XTREME's tasks to a task folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq_amber.data.finetuning.task_folder import KINDS, SPLITS
from fairseq_amber.number_flags import count

SUMMARY = "check and encode the files of a task: tagging, sentence pairs, question answering"
EXAMPLE = (
    "fairseq-amber prepare-task pos data-bin/pos --tokenizer data-bin/de-en "
    "--train en=en_ewt.train.tsv \\\n      --valid en=en_ewt.dev.tsv --test de=de_gsd.test.tsv"
)
_FORMS = """
files, in UTF-8:
  pos, ner      word<TAB>label, an empty line between sentences (UD's parts of speech, PAN-X)
  xnli, pawsx   sentence<TAB>sentence<TAB>label, as they are or as Python's csv writer quotes them
  squad, mlqa, tydiqa   SQuAD's JSON (version 1.1); squad is for XQuAD, too
Test files may have blank labels or answers, as XTREME distributes them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{SUMMARY}\n{_FORMS}".rstrip()
    parser.add_argument("task", choices=KINDS, metavar="TASK", help=", ".join(KINDS))
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="folder to write. One that holds the same task, with the same labels and tokenizer, "
        "gets more splits and languages, in place of those it has",
    )
    parser.add_argument(
        "--tokenizer",
        type=Path,
        required=True,
        metavar="PATH",
        help="that of the encoder to be fine-tuned: its data folder (its dict.txt with "
        "sentencepiece.bpe.model or vocab.txt), which is copied to OUT; OUT itself to add to it; "
        "or a tokenizer's file alone, whose pieces then make dict.txt",
    )
    for split in SPLITS:
        parser.add_argument(
            f"--{split}",
            type=_source,
            action="append",
            default=[],
            metavar="LANG=FILE",
            help=f"{_ROLES[split]} in a language; may be repeated, also for one language, whose "
            "files are joined in that order",
        )
    parser.add_argument(
        "--xtreme",
        type=Path,
        metavar="DIR",
        help="take the files of XTREME's folder download: of train the English one, of dev "
        "(valid) and test every language's. Validation files of tydiqa have to be given: it has "
        "none but those it tests on",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="labels of pos and ner, one a line, in the order of their numbers (default: those of "
        "the training files, sorted, O first; without training files those of OUT)",
    )
    parser.add_argument("--workers", type=count, help="processes; one for each core if not given")


_ROLES = {"train": "text to train on", "valid": "XTREME's dev", "test": "text to test on"}


def run(args: argparse.Namespace) -> None:
    from fairseq_amber.preparation.task.pipeline import prepare_task
    from fairseq_amber.preparation.task.sources import collect_sources
    from fairseq_amber.preparation.task.summary import describe

    given = {split: getattr(args, split) for split in SPLITS}
    result = prepare_task(
        args.task,
        args.out,
        tokenizer=args.tokenizer,
        sources=collect_sources(args.task, args.xtreme, given),
        labels=args.labels,
        workers=args.workers,
    )
    print(describe(KINDS[args.task], result.counts))
    if result.vocabulary.unlisted:
        print(
            f"warning: {result.vocabulary.unlisted:,} pieces of the tokenizer are not in the "
            "dictionary: they become <unk>"
        )
    print(f"{args.out}: {args.task}, {result.vocabulary.size:,} entries in the dictionary")


def _source(text: str) -> tuple[str, Path]:
    language, equals, file = text.partition("=")
    if not (language and equals and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not LANG=FILE, such as en=train-en.tsv")
    return language, Path(file)
