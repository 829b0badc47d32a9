"""``fairseq-amber embed``: writes the sentence vectors of a text of any size."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_amber.errors import UserError
from fairseq_amber.files.compressed import PlainReader, open_plain
from fairseq_amber.files.locks import is_stream, real_path
from fairseq_amber.inference.flags import (
    add_encoder_arguments,
    add_vector_arguments,
    load_encoder,
    vector_note,
)

if TYPE_CHECKING:
    from fairseq_amber.inference.encoder import Encoder

SUMMARY = "write sentence vectors of a text of any size to a .npy file; continue if interrupted"
EXAMPLE = (
    "fairseq-amber embed checkpoint_best.pt corpus.de corpus.de.npy --layer 8 --dtype bfloat16"
)
RESUMES = True
WRITES = ("output",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_encoder_arguments(parser)
    parser.add_argument(
        "input", metavar="TEXT", help="text, one sentence per line, UTF-8; - is the standard input"
    )
    parser.add_argument(
        "output",
        metavar="OUTPUT.npy",
        type=Path,
        help="NumPy array (N, D) with the vector of line i in row i; until it is finished, its "
        "rows are in the folder OUTPUT.npy.partial",
    )
    add_vector_arguments(parser)
    parser.add_argument(
        "--output-dtype",
        choices=("float32", "float16"),
        default="float32",
        help="dtype of the file; NumPy has no bfloat16",
    )
    parser.add_argument(
        "--normalize", action="store_true", help="divide each vector by its Euclidean length"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the vectors, and prints how many there are and how they were computed."""
    if args.output.suffix != ".npy":
        raise UserError(f"{args.output}: the output is a NumPy file; name it {args.output}.npy")
    total = None
    if args.input != "-" and not is_stream(real_path(args.input)):
        from fairseq_amber.files.text import check_file, warn_of_text

        checked = check_file(Path(args.input))
        warn_of_text(checked)
        total = checked.lines
    encoder = load_encoder(args)
    from fairseq_amber.inference.embedding.corpus_vectors import VectorSettings, embed_text

    settings = VectorSettings(
        layer=args.layer,
        pooling=args.pooling,
        batch_tokens=args.batch_tokens,
        prefix=args.prefix,
        normalize=args.normalize,
        output_dtype=args.output_dtype,
    )
    name = "standard input" if args.input == "-" else args.input
    start = time.perf_counter()
    with (
        PlainReader(sys.stdin.buffer, name) if args.input == "-" else open_plain(args.input)
    ) as text:
        done = embed_text(
            encoder,
            text,
            name,
            args.output,
            settings,
            identity=_identity(encoder, args),
            total=total,
        )
    seconds = time.perf_counter() - start
    print(
        f"{args.output}: {done.rows} vectors of {encoder.dim}, {args.output_dtype}; layer "
        f"{encoder.resolve_layer(args.layer)} of {encoder.num_layers}, {vector_note(args)}, "
        f"computed in {args.dtype}; {done.encoded / seconds:.0f} sentences/s"
    )
    encoder.warn_of_cut(done.cut, name)


def _identity(encoder: Encoder, args: argparse.Namespace) -> dict[str, Any]:
    """Returns what the vectors depend on besides the text and ``VectorSettings``."""
    import torch

    from fairseq_amber.convert.reading import model_files
    from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME

    if encoder.vocabulary is None:
        dictionary = (encoder.data / DICTIONARY_NAME).read_bytes()
    else:
        dictionary = encoder.vocabulary.dictionary()
    tokenizer = hashlib.blake2b(dictionary, digest_size=8)
    for name, content in sorted(encoder.tokenizer_files.files.items()):
        tokenizer.update(name.encode() + content)
    model = hashlib.blake2b(digest_size=8)
    for path in model_files(args.checkpoint):
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                model.update(block)
    return {
        "a checkpoint with digest": model.hexdigest(),
        "a vocabulary with digest": tokenizer.hexdigest(),
        "--reinitialize": args.reinitialize,
        "--dtype": args.dtype,
        "--device": encoder.device.type,
        "torch": torch.__version__,
    }
