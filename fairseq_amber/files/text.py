"""Reads text in UTF-8, one sentence a line: whole files, or block by block what memory cannot hold.

Only a newline ends a line: U+2028, form feeds and the like are white space inside a sentence. A
carriage return before the newline and a byte order mark at the start are not part of the text.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import Iterator, NamedTuple

from fairseq_amber.errors import UserError

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
                _check_text(data, path, lines + 1)
                digest.update(data)
                lines += len(block)
                offsets.append(offsets[-1] + len(data))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if lines == 0:
        raise _empty(path)
    return TextFile(path, lines, digest.hexdigest(), offsets)


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
    return _split(text)


def blocks(text: TextFile) -> Iterator[Block]:
    """All blocks of a file, in order."""
    for start, end in zip(text.offsets, text.offsets[1:]):
        yield Block(text.path, start, end)


def read_lines(source: str | Path) -> list[str]:
    """All lines of a file that memory holds, without line ends. The file is read once, so that it
    may be a pipe.

    Raises:
        UserError: it cannot be read, is empty, is not UTF-8 or holds NUL (naming the line).
    """
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if not data:
        raise _empty(path)
    _check_text(data, path, 1)
    return _split(data.decode("utf-8-sig"))


def decode_line(line: bytes, name: str | Path, number: int) -> str:
    """One line of a stream without its line end.

    Raises:
        UserError: it is not UTF-8 or holds NUL.
    """
    if not _is_text(line):
        raise UserError(_complaint(name, number, line))
    return line.decode("utf-8" if number > 1 else "utf-8-sig").rstrip("\r\n")


def _check_text(data: bytes, path: Path, first: int) -> None:
    """Checks lines end to end, the first of which has this number."""
    if not _is_text(data):
        lines = data.split(b"\n")
        offender = next(i for i, line in enumerate(lines) if not _is_text(line))
        raise UserError(_complaint(path, first + offender, lines[offender]))


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _complaint(path: str | Path, number: int, line: bytes) -> str:
    remedy = "convert the file with iconv -t UTF-8 -f ITS-ENCODING"
    if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{path}:1: UTF-16, not UTF-8; convert the file with iconv -f UTF-16 -t UTF-8"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"{path}:{number}: not UTF-8 (byte {error.start + 1} of the line); {remedy}"
    return f"{path}:{number}: a NUL byte, so this is no plain text; remove it or {remedy}"


def _empty(path: Path) -> UserError:
    return UserError(f"{path} is empty; add text, one sentence a line, or leave the file out")


def _split(text: str) -> list[str]:
    """The lines of a text, without line ends."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if "\r" in text:
        lines = [line[:-1] if line.endswith("\r") else line for line in lines]
    return lines
