"""The command-line flags that several commands share, and the functions that read their values."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_amber.errors import UserError, one_line
from fairseq_amber.files.parallel_text import (
    ParallelFiles,
    choose_pairs,
    find_parallel,
    language_pair,
)
from fairseq_amber.number_flags import positive_whole_number, seed, whole_number
from fairseq_amber.tokenizers.prefix import prefix, quoted

if TYPE_CHECKING:
    from fairseq_amber.inference.encoder import Encoder

DEFAULT_SPLIT = "test"
BATCH_TOKENS = 8192


def add_encoder_arguments(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Declares the checkpoint and how to run it.

    Args:
        parser: the parser of the command.
        optional: whether the command also works without a checkpoint.
    """
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        nargs="?" if optional else None,
        help="a checkpoint_*.pt of fairseq-train, or a pretrained folder as it is: Hugging Face's "
        "XLM-R or BERT, fairseq's XLM-R, or one of fairseq-amber convert",
    )
    parser.add_argument(
        "--data",
        metavar="DATA_BIN",
        type=Path,
        help="folder with dict.txt and sentencepiece.bpe.model or vocab.txt; by default the "
        "pretrained folder, or the folder that the checkpoint was trained on",
    )
    add_device_arguments(parser)
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16", "bfloat16"),
        default="float32",
        help="dtype of weights and states; values computed from the states are in float32",
    )
    parser.add_argument(
        "--reinitialize",
        type=seed,
        metavar="SEED",
        help="replace the trained weights by random ones drawn with this seed: the untrained "
        "baseline of the same architecture",
    )


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the device and the size of a batch."""
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; by default a GPU if there is one")
    parser.add_argument(
        "--batch-tokens",
        type=positive_whole_number,
        default=BATCH_TOKENS,
        metavar="N",
        help="subwords in a batch, padding included; fewer need less memory, and results are the "
        "same",
    )


def add_vector_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the layer, the pooling and the prefix of sentence vectors."""
    parser.add_argument(
        "--layer",
        type=whole_number,
        default=-1,
        help="layer of the states: 1 is the first, -1 the last, 0 the embeddings",
    )
    parser.add_argument(
        "--pooling",
        choices=("mean", "mean-no-specials", "cls"),
        default="mean",
        help="sentence vector. mean: mean of all states, as AMBER trains it; mean-no-specials: "
        "mean of the subwords' states, without <s> and </s>; cls: state of <s>",
    )
    add_prefix_argument(parser)


def add_prefix_argument(parser: Any, flag: str = "--prefix") -> None:
    """Declares the text in front of each sentence, in a parser or in a group of its flags."""
    parser.add_argument(
        flag,
        type=prefix,
        default="",
        metavar="TEXT",
        help="put this text in front of each sentence, for a model that was trained so: 'query: ' "
        "for multilingual E5. Its subwords are pooled like those of the sentence",
    )


def add_text_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the parallel text to read."""
    parser.add_argument(
        "--source",
        metavar="FILE",
        type=Path,
        help="source text, one sentence per line, UTF-8; needs --target",
    )
    parser.add_argument(
        "--target",
        metavar="FILE",
        type=Path,
        help="target text; line i translates line i of --source",
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        type=Path,
        help="in place of --source and --target: all files <split>.<src>-<tgt>.<lang> in it",
    )
    parser.add_argument(
        "--split",
        default=DEFAULT_SPLIT,
        help="first part of the file names in --folder; tatoeba for tatoeba.deu-eng.deu",
    )
    parser.add_argument(
        "--pairs",
        metavar="PAIR,PAIR",
        help="language pairs in --folder to read, such as deu-eng; by default all",
    )


def load_encoder(args: argparse.Namespace) -> Encoder:
    """Loads the encoder that the flags of ``add_encoder_arguments`` describe."""
    from fairseq_amber.inference.encoder import Encoder

    return Encoder.load(
        args.checkpoint,
        data=args.data,
        device=args.device,
        dtype=args.dtype,
        reinitialize=args.reinitialize,
    )


def checkpoint_note(args: argparse.Namespace) -> str:
    """Names the model in the line under a table."""
    note = one_line(str(args.checkpoint))
    if args.reinitialize is not None:
        note += " with weights drawn anew"
    return note if args.dtype == "float32" else f"{note}, in {args.dtype}"


def vector_settings(args: argparse.Namespace) -> dict[str, str]:
    """Returns the pooling, and the prefix if there is one, for the JSON of a result."""
    pooling = {"pooling": args.pooling}
    return {**pooling, "prefix": args.prefix} if args.prefix else pooling


def vector_note(args: argparse.Namespace) -> str:
    """Names the pooling, and the prefix if there is one, in the line under a table."""
    note = f"{args.pooling} pooling"
    return f"{note}, --prefix {quoted(args.prefix)}" if args.prefix else note


def parallel_files(args: argparse.Namespace) -> list[ParallelFiles]:
    """Returns the files that the flags of ``add_text_arguments`` describe.

    Raises:
        UserError: not exactly one of --folder and --source with --target is given, or --folder
            lacks one of --pairs, or a flag of --folder is given with --source.
    """
    if args.folder is not None and args.source is None and args.target is None:
        found = {pair.name: pair for pair in find_parallel(args.folder, args.split)}
        return [found[name] for name in choose_pairs(args.pairs, found, args.folder)]
    if args.folder is None and args.source is not None and args.target is not None:
        check_no_folder_flags(args, "--source")
        name = language_pair(args.source, args.target)
        return [ParallelFiles(name, args.source, args.target)]
    raise UserError("give either --source FILE and --target FILE, or --folder DIR")


def check_no_folder_flags(args: argparse.Namespace, given: str) -> None:
    """Checks that no flag is given that is for --folder alone.

    Args:
        args: the flags.
        given: the flag that is given in place of --folder.

    Raises:
        UserError: one is.
    """
    for flag, value in (("--split", args.split), ("--pairs", args.pairs)):
        if value not in (None, DEFAULT_SPLIT):
            raise UserError(f"{flag} is for --folder, but {given} is given; leave it out")


def tested_on(args: argparse.Namespace) -> dict[str, str]:
    """Returns where the test data is, for the JSON of a result: folder and split, or files."""
    if args.folder is not None:
        return {"test": str(args.folder), "split": args.split}
    files = (args.source, args.target, getattr(args, "gold", None))
    return {"test": " ".join(str(path) for path in files if path is not None)}
