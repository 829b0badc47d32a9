"""Reads UTF-8 text with one sentence per line, as whole files or block by block.

Blocks are for files that do not fit into memory. Only a newline ends a line: U+2028, form feeds
and other such characters are white space inside a sentence. A carriage return before the newline
and a byte order mark at the start of the file are not part of the text.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import Iterator, NamedTuple

from fairseq_amber.errors import UserError

LINES_PER_BLOCK = 4096  # number of lines that are read, encoded and written together


class TextFile(NamedTuple):
    """A file that has been checked.

    Attributes:
        path: the file.
        lines: number of lines.
        digest: hash of the content, in hexadecimal digits.
        offsets: where blocks of ``LINES_PER_BLOCK`` lines begin and end: block i holds the bytes
            from offsets[i] to offsets[i + 1].
    """

    path: Path
    lines: int
    digest: str
    offsets: list[int]


class Block(NamedTuple):
    """Some consecutive lines of a file.

    Attributes:
        path: the file.
        start: the byte at which the first line begins.
        end: the byte after the last line.
    """

    path: Path
    start: int
    end: int


def check_file(path: Path) -> TextFile:
    """Checks that a file is text, and finds its blocks: reads it once, in constant memory.

    Raises:
        UserError: the file cannot be read or is empty, or a line is not UTF-8 or holds a NUL byte.
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
    """Reads the lines of a block, without their line ends.

    Raises:
        UserError: the file has changed since it was checked.
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
    """Yields all blocks of a file, in order."""
    for start, end in zip(text.offsets, text.offsets[1:]):
        yield Block(text.path, start, end)


def read_lines(source: str | Path) -> list[str]:
    """Reads all lines of a file into memory, without their line ends.

    The file is read only once, so that it may be a pipe.

    Raises:
        UserError: the file cannot be read or is empty, or a line is not UTF-8 or holds a NUL byte.
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
    """Decodes one line of a stream, without its line end.

    Args:
        line: the bytes of the line.
        name: the name of the stream, which an error names.
        number: the number of the line, which starts at 1.

    Raises:
        UserError: the line is not UTF-8 or holds a NUL byte.
    """
    if not _is_text(line):
        raise UserError(_error_message(name, number, line))
    return line.decode("utf-8" if number > 1 else "utf-8-sig").rstrip("\r\n")


def _check_text(data: bytes, path: Path, first: int) -> None:
    """Checks the lines of a file from line number ``first`` on.

    Raises:
        UserError: a line is not UTF-8 or holds a NUL byte.
    """
    if not _is_text(data):
        lines = data.split(b"\n")
        bad_line = next(i for i, line in enumerate(lines) if not _is_text(line))
        raise UserError(_error_message(path, first + bad_line, lines[bad_line]))


def _is_text(data: bytes) -> bool:
    """Tells whether some bytes are UTF-8 without NUL."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _error_message(path: str | Path, number: int, line: bytes) -> str:
    """Returns the error message for a line that is not text."""
    remedy = "convert the file with iconv -t UTF-8 -f ITS-ENCODING"
    if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{path}:1: UTF-16, not UTF-8; convert the file with iconv -f UTF-16 -t UTF-8"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"{path}:{number}: not UTF-8 (byte {error.start + 1} of the line); {remedy}"
    return f"{path}:{number}: a NUL byte, so this is not plain text; remove it or {remedy}"


def _empty(path: Path) -> UserError:
    """Returns the error for an empty file."""
    return UserError(f"{path} is empty; add text, one sentence per line, or leave the file out")


def _split(text: str) -> list[str]:
    """Returns the lines of a text, without their line ends."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if "\r" in text:
        lines = [line[:-1] if line.endswith("\r") else line for line in lines]
    return lines
