"""Checking and reading raw text: UTF-8, one sentence a line, files too large for memory.

Only a newline ends a line: U+2028, form feeds and the like are white space inside a sentence. A
carriage return before the newline and a byte order mark at the start are not part of the text.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus import Corpus

LINES_PER_BLOCK = 4096  # read, encoded and written together


class TextFile(NamedTuple):
    """A checked file. Block i, of LINES_PER_BLOCK lines, is bytes offsets[i] to offsets[i + 1]."""

    path: Path
    lines: int
    digest: str
    offsets: list[int]


class Block(NamedTuple):
    """Some lines of a file."""

    path: Path
    start: int  # bytes
    end: int


def check_file(path: Path) -> TextFile:
    """Reads a file once, in constant memory.

    Raises:
        UserError: it cannot be read, is empty, is not UTF-8 or holds NUL (naming the line).
    """
    digest = hashlib.blake2b(digest_size=16)
    offsets = [0]
    lines = 0
    try:
        with open(path, "rb") as stream:
            while True:
                block = list(islice(stream, LINES_PER_BLOCK))
                if not block:
                    break
                data = b"".join(block)
                if not _is_text(data):
                    offender = next(i for i, line in enumerate(block) if not _is_text(line))
                    raise UserError(_complaint(path, lines + offender + 1, block[offender]))
                digest.update(data)
                lines += len(block)
                offsets.append(offsets[-1] + len(data))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if lines == 0:
        raise UserError(f"{path} is empty; add text or remove the file")
    return TextFile(path, lines, digest.hexdigest(), offsets)


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _complaint(path: Path, number: int, line: bytes) -> str:
    remedy = "convert the file with iconv -t UTF-8 -f ITS-ENCODING"
    if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{path}:1: UTF-16, not UTF-8; convert the file with iconv -f UTF-16 -t UTF-8"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"{path}:{number}: not UTF-8 (byte {error.start + 1} of the line); {remedy}"
    return f"{path}:{number}: a NUL byte, so this is no plain text; remove it or {remedy}"


def check_alignment(corpora: Sequence[Corpus], texts: dict[Path, TextFile]) -> None:
    """Aligned files must have as many lines as each other.

    Raises:
        UserError: naming both files, their counts, and the first line without a partner.
    """
    for corpus in corpora:
        for files in corpus.sources:
            ordered = sorted((texts[path] for path in files), key=lambda text: text.lines)
            shorter, longer = ordered[0], ordered[-1]
            if shorter.lines != longer.lines:
                raise UserError(
                    f"{shorter.path} has {shorter.lines} lines but {longer.path} has "
                    f"{longer.lines}: line {shorter.lines + 1} of the longer has no partner; "
                    "line i of one must translate line i of the other"
                )


def read_block(block: Block) -> list[str]:
    """The lines of a block, without line ends.

    Raises:
        UserError: the file is no longer the one that was checked.
    """
    try:
        with open(block.path, "rb") as stream:
            stream.seek(block.start)
            data = stream.read(block.end - block.start)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{block.path} changed while it was being read; run again") from None
    if block.start == 0 and text.startswith("\ufeff"):
        text = text[1:]
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if "\r" in text:
        lines = [line[:-1] if line.endswith("\r") else line for line in lines]
    return lines


def blocks(text: TextFile) -> Iterator[Block]:
    """All blocks of a file, in order."""
    for start, end in zip(text.offsets, text.offsets[1:]):
        yield Block(text.path, start, end)


def read_lines(path: Path) -> list[str]:
    """All lines of a file that memory holds, without line ends.

    Raises:
        UserError: see :func:`check_file`.
    """
    return [line for block in blocks(check_file(path)) for line in read_block(block)]
