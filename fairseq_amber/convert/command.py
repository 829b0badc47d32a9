"""``fairseq-amber convert``: converts models between Hugging Face, fairseq and this package."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq_amber.errors import UserError
from fairseq_amber.number_flags import positive_whole_number
from fairseq_amber.progress import heartbeat
from fairseq_amber.tokenizers.prefix import prefix

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
        help="how sentence-transformers makes a sentence vector from the last layer: mean, the "
        "mean of the states of all tokens, or cls, the state of the first token (default: as the "
        "model that was converted had it, else mean)",
    )
    parser.add_argument(
        "--prefix",
        type=prefix,
        metavar="TEXT",
        help="make this text the default prompt of sentence-transformers, which puts it in front "
        "of each sentence as embed --prefix does: 'query: ' for multilingual E5 (default: as the "
        "model that was converted had it)",
    )
    parser.add_argument(
        "--extend-vocab",
        type=Path,
        metavar="FILE",
        help="add the subwords in FILE to the vocabulary; FILE has one per line, as the tokenizer "
        "spells them (XLM-R: \u2581word at the start of a word; BERT: ##word inside a word); each "
        "starts as the mean of the subwords that it was cut into before",
    )
    parser.add_argument(
        "--keep-vocab",
        type=Path,
        action="append",
        metavar="PATH",
        help="leave out the subwords that the text in PATH does not use, and keep special and "
        "added tokens and single characters; PATH is a text, a folder of raw text as prepare takes "
        "it, or a folder that prepare or prepare-task made with the vocabulary of SOURCE; several "
        "are taken together: --keep-vocab PATH --keep-vocab PATH",
    )
    parser.add_argument(
        "--keep-top",
        type=positive_whole_number,
        metavar="N",
        help="of the subwords that the text of --keep-vocab uses, keep only the N most frequent",
    )


def run(args: argparse.Namespace) -> None:
    """Converts the model and prints how to use the result."""
    from fairseq_amber.convert.fairseq_checkpoint import write_amber
    from fairseq_amber.convert.hugging_face.export_model import write_hugging_face
    from fairseq_amber.convert.hugging_face.sentence_modules import (
        KEPT_FOLDER,
        chosen_modules,
        pooling_modules,
    )
    from fairseq_amber.convert.output_folder import output_folder
    from fairseq_amber.convert.reading import read_source

    if args.keep_top is not None and args.keep_vocab is None:
        raise UserError(
            "--keep-top N has no effect without --keep-vocab PATH, the text whose subwords it "
            "counts; add it, or leave --keep-top out"
        )
    with output_folder(args.output) as folder:
        with heartbeat(f"reading {args.source}"):
            source = read_source(args.source, args.data)
        model, notes = source.model, source.notes
        if args.extend_vocab is not None:
            from fairseq_amber.convert.vocabulary_extension import extend_vocabulary

            with heartbeat(f"adding the subwords of {args.extend_vocab}"):
                model, added = extend_vocabulary(model, args.extend_vocab)
            notes.append(f"{added} subwords added")
        if args.keep_vocab is not None:
            from fairseq_amber.convert.vocabulary_trimming import trim_vocabulary

            original = source.model.vocabulary
            trimmed = trim_vocabulary(model, args.keep_vocab, args.keep_top, original)
            model = trimmed.model
            notes += trimmed.notes
        target = args.to or ("hugging-face" if source.is_checkpoint_of_ours else "amber")
        modules = chosen_modules(source.modules, model.shape, args.pooling, args.prefix)
        with heartbeat(f"writing {args.output}"):
            if target == "amber":
                write_amber(model, folder)
                for name, data in modules.items():
                    folder.put(f"{KEPT_FOLDER}/{name}", data)
                if source.head is not None:
                    notes.append(f"left out: the head for {source.head.kind}")
            else:
                architecture = write_hugging_face(model, folder, source.head)
                for name, data in (modules or pooling_modules(model.shape, "mean")).items():
                    folder.put(name, data)
    print("".join(f"{note}\n" for note in notes), end="")
    if target == "amber":
        print(_advice(args.output))
    else:
        head = f"{architecture}, " if source.head is not None else ""
        print(f"{args.output} loads with {head}AutoModel, AutoTokenizer and SentenceTransformer")


def _advice(output: Path) -> str:
    """Returns the commands that train from the converted model."""
    return (
        f"{output} is ready to train from:\n"
        f"  fairseq-amber prepare RAW DATA_BIN --tokenizer {output}\n"
        f"  fairseq-train DATA_BIN --arch amber --from-pretrained {output} ..."
    )
