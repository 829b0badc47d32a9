"""``fairseq-amber convert``: converts models between Hugging Face, fairseq and this package."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_amber.errors import UserError
from fairseq_amber.progress import heartbeat

if TYPE_CHECKING:
    from fairseq_amber.convert.pretrained import Pretrained
    from fairseq_amber.convert.pretrained import Shape as ShapeType

SUMMARY = "convert XLM-R or BERT to a checkpoint to train from, or a checkpoint to Hugging Face"
EXAMPLE = "fairseq-amber convert xlm-roberta-base pretrained/xlmr"
WRITES = ("output",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="a folder of Hugging Face's XLM-R or BERT, a folder of fairseq's XLM-R (model.pt), or "
        "a checkpoint of fairseq-train",
    )
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="new folder to write")
    parser.add_argument(
        "--to",
        choices=("amber", "hugging-face"),
        help="amber: write model.pt, dict.txt and the tokenizer, for fairseq-train and all "
        "commands here; hugging-face: write what transformers and sentence-transformers read "
        "(default: hugging-face for a checkpoint of this package, else amber)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DATA_BIN",
        help="folder with the dict.txt and the tokenizer of a checkpoint (default: the folder of "
        "the checkpoint, or the one that it was trained on)",
    )
    parser.add_argument(
        "--pooling",
        choices=("mean", "cls"),
        default="mean",
        help="how sentence-transformers makes a sentence vector from the last layer: mean, the "
        "mean of the states of all tokens, or cls, the state of the first token",
    )
    parser.add_argument(
        "--extend-vocab",
        type=Path,
        metavar="FILE",
        help="add the subwords in FILE to the vocabulary; FILE has one per line, as the tokenizer "
        "spells them (XLM-R: \u2581word at the start of a word; BERT: ##word inside a word); each "
        "starts as the mean of the subwords that it was cut into before",
    )


def run(args: argparse.Namespace) -> None:
    """Converts the model and prints how to use the result."""
    from fairseq_amber.convert.fairseq_checkpoint import write_amber
    from fairseq_amber.convert.hugging_face.export_model import write_hugging_face, write_pooling
    from fairseq_amber.convert.output_folder import output_folder

    with output_folder(args.output) as folder:
        with heartbeat(f"reading {args.source}"):
            model, is_checkpoint_of_ours, notes = read_model(args.source, args.data)
        if args.extend_vocab is not None:
            from fairseq_amber.convert.vocabulary_extension import extend_vocabulary

            with heartbeat(f"adding the subwords of {args.extend_vocab}"):
                model, added = extend_vocabulary(model, args.extend_vocab)
            notes.append(f"{added} subwords added")
        target = args.to or ("hugging-face" if is_checkpoint_of_ours else "amber")
        with heartbeat(f"writing {args.output}"):
            if target == "amber":
                write_amber(model, folder)
            else:
                write_hugging_face(model, folder)
                write_pooling(folder, model.shape, args.pooling)
    print("".join(f"{note}\n" for note in notes), end="")
    if target == "amber":
        print(_advice(model, args.output))
    else:
        print(f"{args.output} loads with AutoModel, AutoTokenizer and SentenceTransformer")


def read_model(source: Path, data: Path | None) -> tuple[Pretrained, bool, list[str]]:
    """Reads a model of any kind.

    Args:
        source: a folder or a checkpoint.
        data: the folder of the dictionary and the tokenizer of a checkpoint.

    Returns:
        The model, whether it is a checkpoint of this package, and notes for the user.

    Raises:
        UserError: ``source`` is not a model that can be converted.
    """
    from fairseq_amber.convert.fairseq_checkpoint import CHECKPOINT_NAME, read_fairseq
    from fairseq_amber.convert.hugging_face.import_model import (
        CONFIG_NAME,
        WEIGHT_NAMES,
        read_hugging_face,
    )

    if source.name in (CONFIG_NAME, *WEIGHT_NAMES):
        source = source.parent
    if (source / CONFIG_NAME).is_file():
        if data is not None:
            raise UserError("--data is for checkpoints; a Hugging Face folder has its vocabulary")
        imported = read_hugging_face(source)
        notes = list(imported.notes)
        if imported.left_out:
            notes.append(f"left out: {', '.join(sorted(imported.left_out))}")
        if imported.new_head:
            notes.append("it has no language model head: a new one has random weights")
        return imported.model, False, notes
    if source.is_dir():
        if not (source / CHECKPOINT_NAME).is_file():
            raise UserError(
                f"{source} has neither {CONFIG_NAME} (Hugging Face) nor {CHECKPOINT_NAME} (fairseq)"
            )
        source = source / CHECKPOINT_NAME
    checkpoint = read_fairseq(source, data)
    return checkpoint.model, checkpoint.is_amber, []


def _advice(model: Pretrained, output: Path) -> str:
    """Returns the commands that train from the converted model."""
    return (
        f"{output} is ready to train from:\n"
        f"  fairseq-amber prepare RAW DATA_BIN --tokenizer {output}\n"
        f"  fairseq-train DATA_BIN --finetune-from-model {output / 'model.pt'} \\\n"
        f"      {architecture_flags(model.shape)} ..."
    )


def architecture_flags(shape: ShapeType) -> str:
    """Returns ``--arch`` and the flags that build a model of this shape."""
    from dataclasses import asdict

    from fairseq_amber.convert.pretrained import Shape
    from fairseq_amber.models.shapes import SHAPES

    given = asdict(shape)
    given.pop("activation_dropout")

    def differing(name: str) -> dict[str, float]:
        built = asdict(Shape(**SHAPES[name]))
        return {key: value for key, value in given.items() if built[key] != value}

    name = min(SHAPES, key=lambda name: len(differing(name)))
    flags = [f"--{key.replace('_', '-')} {value}" for key, value in differing(name).items()]
    return " ".join([f"--arch {name}", *flags])
