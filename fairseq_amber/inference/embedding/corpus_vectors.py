"""Writes the sentence vectors of a text of any size to a .npy file, in bounded memory.

The text is read in chunks. The distinct sentences of a chunk are encoded in batches of about equal
length. The vectors of finished chunks survive an interruption: the next run checks that the text is
the same so far, and continues behind them.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple

import numpy as np
import torch

from fairseq_amber.data.batches_by_length import distinct
from fairseq_amber.errors import UserError
from fairseq_amber.files.text import decode_line
from fairseq_amber.inference.embedding.vector_file import VectorFile
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.prefix import quoted

# A chunk ends when it has this many lines or this many bytes.
CHUNK_LINES = 1 << 15
CHUNK_BYTES = 1 << 24


@dataclass(frozen=True)
class VectorSettings:
    """The settings that decide how the vector of a sentence is computed and stored.

    Attributes:
        layer: see ``Encoder.sentence_vectors``.
        pooling: see ``Encoder.sentence_vectors``.
        batch_tokens: see ``Encoder.sentence_vectors``.
        prefix: text in front of each sentence; see ``Encoder.embed``.
        normalize: whether to divide each vector by its Euclidean length; zeros stay zeros.
        output_dtype: dtype of the file, float32 or float16.
    """

    layer: int = -1
    pooling: str = "mean"
    batch_tokens: int = 8192
    prefix: str = ""
    normalize: bool = False
    output_dtype: str = "float32"


class Embedded(NamedTuple):
    """The outcome of ``embed_text``.

    Attributes:
        rows: number of rows of the file.
        encoded: number of rows that this run has added.
        cut: number of lines that were longer than the model takes, so that they were cut.
    """

    rows: int
    encoded: int
    cut: int


def embed_text(
    encoder: Encoder,
    text: BinaryIO,
    name: str,
    output: Path,
    settings: VectorSettings,
    *,
    identity: dict[str, Any],
    total: int | None = None,
) -> Embedded:
    """Writes the vectors of the N lines of a text as an array (N, D), with a progress bar.

    Row i is the vector of line i. An empty line has the vector of ``<s></s>``, or zeros if it is
    pooled without special tokens; behind a prefix, it has that of the prefix. The bytes of the file
    depend on the text, the settings and the identity alone, whether the run was interrupted or not.

    Args:
        encoder: the encoder.
        text: one sentence per line, UTF-8; it is read once, from the start.
        name: name of the text for errors.
        output: the .npy file, which appears whole once everything is encoded; see ``VectorFile``.
        settings: how to compute and store the vectors.
        identity: what else the vectors depend on, such as the model. A run refuses to continue a
            file that a run with another identity began.
        total: number of lines of the text, if it is known.

    Raises:
        UserError: the text is empty, is not UTF-8, or differs from the text that an interrupted run
            began with; a vector overflows its dtype; or see ``VectorFile``.
    """
    layer = encoder.resolve_layer(settings.layer)
    made_with = {
        **identity,
        "--layer": layer,
        "--pooling": settings.pooling,
        "--batch-tokens": settings.batch_tokens,
        "--normalize": settings.normalize,
        "--output-dtype": settings.output_dtype,
    }
    if settings.prefix:
        made_with["--prefix"] = quoted(settings.prefix)
    dtype = np.dtype(settings.output_dtype)
    with closing(VectorFile(output, encoder.dim, dtype, made_with)) as file:
        start = file.rows
        notes = file.notes or {"bytes": 0, "digest": "", "cut": 0}
        if [type(notes.get(key)) for key in ("bytes", "digest", "cut")] != [int, str, int]:
            raise UserError(f"what an interrupted run left is damaged: delete {file.folder}")
        digest = _read_again(text, name, file, notes)
        with Progress(
            total=total, done=start, unit="sentences", what=f"encoding {name}", leave=True
        ) as progress:
            for raw in _chunks(text):
                lines = [
                    decode_line(x, name, number) for number, x in enumerate(raw, file.rows + 1)
                ]
                vectors, cut = _encode(encoder, lines, settings, progress.update)
                _check_finite(vectors, name, file.rows, settings)
                data = b"".join(raw)
                digest.update(data)
                notes = {
                    "bytes": notes["bytes"] + len(data),
                    "digest": digest.hexdigest(),
                    "cut": notes["cut"] + cut,
                }
                file.append(vectors, notes)
        if not file.rows:
            raise UserError(f"{name} is empty; give text with one sentence per line")
        if total is not None and file.rows != total:
            raise UserError(f"{name} changed while it was being read; delete {file.folder}")
        file.finish()
        return Embedded(file.rows, file.rows - start, notes["cut"])


def _chunks(text: BinaryIO) -> Iterator[list[bytes]]:
    """Yields the lines of the text chunk by chunk."""
    chunk: list[bytes] = []
    size = 0
    for line in text:
        chunk.append(line)
        size += len(line)
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read_again(text: BinaryIO, name: str, file: VectorFile, notes: dict[str, Any]) -> Any:
    """Reads again the lines that an interrupted run has encoded.

    Returns:
        The hash object of these lines, which later chunks update.
    """
    digest = hashlib.blake2b(digest_size=16)
    left = notes["bytes"]
    while left:
        data = text.read(min(left, CHUNK_BYTES))
        if not data:
            break
        digest.update(data)
        left -= len(data)
    if file.rows and digest.hexdigest() != notes["digest"]:
        raise UserError(
            f"an interrupted run has encoded {file.rows} lines, with which {name} does not begin: "
            f"give the same text again, or delete the folder {file.folder} to start again"
        )
    return digest


def _encode(
    encoder: Encoder,
    lines: list[str],
    settings: VectorSettings,
    progress: Callable[[int], Any],
) -> tuple[np.ndarray, int]:
    """Returns the vectors (n, D) of n lines, and how many of these lines were cut."""
    unique, row_of = distinct(lines)
    ids = encoder.tokenizer.encode([settings.prefix + line for line in unique])
    vectors = torch.empty(len(unique), encoder.dim, device=encoder.device)
    for rows, batch in encoder.sentence_vectors(
        ids, layer=settings.layer, pooling=settings.pooling, batch_tokens=settings.batch_tokens
    ):
        vectors[torch.from_numpy(rows).to(encoder.device)] = batch
        progress(len(rows))
    progress(len(lines) - len(unique))
    if settings.normalize:
        vectors = torch.nn.functional.normalize(vectors, dim=1)
    found = vectors.to(getattr(torch, settings.output_dtype)).cpu().numpy()
    return found[row_of], int(encoder.too_long(ids)[row_of].sum())


def _check_finite(vectors: np.ndarray, name: str, before: int, settings: VectorSettings) -> None:
    """Raises UserError if one of the vectors (n, D) is NaN or infinite.

    The first vector belongs to line ``before + 1``.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{name}:{before + int(np.argmin(finite)) + 1}: the vector overflows; use --dtype "
            f"bfloat16 or float32"
            + (" and --output-dtype float32" if settings.output_dtype == "float16" else "")
        )
