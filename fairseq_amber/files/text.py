"""Reads UTF-8 text with one sentence per line, as whole files or block by block.

Blocks are for files that do not fit into memory. Only a newline ends a line: U+0085, U+2028, form
feeds and other such characters are white space inside a sentence. A carriage return before the
newline and a byte order mark at the start of the file are not part of the text. Files whose lines
end in carriage returns alone are refused, and compressed files are read as what they hold.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import Iterator, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.compressed import open_plain
from fairseq_amber.files.text_contents import index_column, is_visible, warn_of_contents

LINES_PER_BLOCK = 4096  # number of lines that are read, encoded and written together


class TextFile(NamedTuple):
    """A file that has been checked.

    Attributes:
        path: the file.
        lines: number of lines.
        digest: hash of the content, in hexadecimal digits; a compressed file has that of its text.
        offsets: where blocks of ``LINES_PER_BLOCK`` lines begin and end: block i holds the bytes
            from offsets[i] to offsets[i + 1] of the text.
        longest: number of bytes of the longest line, with its line end.
        compressed: whether the file is compressed, so that it can only be read from the start.
        visible: whether any line holds a character that can be seen.
        numbers: the column of numbers with which the lines begin; empty if there is none.
    """

    path: Path
    lines: int
    digest: str
    offsets: list[int]
    longest: int = 0
    compressed: bool = False
    visible: bool = True
    numbers: str = ""


class Block(NamedTuple):
    """Some consecutive lines of a file.

    Attributes:
        path: the file.
        start: the byte at which the first line begins.
        end: the byte after the last line.
        data: the lines of a compressed file; None for another, of which they can be read alone.
    """

    path: Path
    start: int
    end: int
    data: bytes | None = None


def check_file(path: Path) -> TextFile:
    """Checks that a file is text, and finds its blocks: reads it once, in constant memory.

    Raises:
        UserError: the file cannot be read or is empty, a line is not UTF-8 or holds a NUL byte, or
            no line ends in a newline but the text holds carriage returns.
    """
    digest = hashlib.blake2b(digest_size=16)
    offsets = [0]
    lines = longest = 0
    visible = False
    numbers = ""
    with open_plain(path) as stream:
        while True:
            block = list(islice(stream, LINES_PER_BLOCK))
            if not block:
                break
            data = b"".join(block)
            text = _checked(data, path, lines + 1)
            if not lines:
                numbers = index_column(_split(text))
            visible = visible or is_visible(text)
            longest = max(longest, max(map(len, block)))
            digest.update(data)
            lines += len(block)
            offsets.append(offsets[-1] + len(data))
    if lines == 0:
        raise _empty(path)
    return TextFile(
        path, lines, digest.hexdigest(), offsets, longest, stream.compressed, visible, numbers
    )


def read_block(block: Block) -> list[str]:
    """Reads the lines of a block, without their line ends.

    Raises:
        UserError: the file has changed since it was checked.
    """
    try:
        data = block.data
        if data is None:
            with open(block.path, "rb") as stream:
                stream.seek(block.start)
                data = stream.read(block.end - block.start)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise _changed(block.path) from None
    return _split(text if block.start else _without_mark(text))


def blocks(text: TextFile) -> Iterator[Block]:
    """Yields all blocks of a file, in order.

    Raises:
        UserError: a compressed file has changed since it was checked.
    """
    places = zip(text.offsets, text.offsets[1:])
    if not text.compressed:
        for start, end in places:
            yield Block(text.path, start, end)
        return
    with open_plain(text.path) as stream:
        for start, end in places:
            data = stream.read(end - start)
            if len(data) != end - start:
                raise _changed(text.path)
            yield Block(text.path, start, end, data)


def warn_of_text(text: TextFile) -> None:
    """Warns of a file that holds nothing visible, or an index before its lines."""
    warn_of_contents(text.path, text.visible, text.numbers)


def read_lines(source: str | Path) -> list[str]:
    """Reads all lines of a file into memory, without their line ends.

    The file is read only once, so that it may be a pipe.

    Raises:
        UserError: the file cannot be read or is empty, or a line is not UTF-8 or holds a NUL byte.
    """
    path = Path(source)
    with open_plain(path) as stream:
        data = stream.read()
    if not data:
        raise _empty(path)
    return _split(_without_mark(_checked(data, path, 1)))


def decode_line(line: bytes, name: str | Path, number: int) -> str:
    """Decodes one line of a stream, without its line end.

    Args:
        line: the bytes of the line.
        name: the name of the stream, which an error names.
        number: the number of the line, which starts at 1.

    Raises:
        UserError: the line is not UTF-8 or holds a NUL byte.
    """
    text = _checked(line, name, number)
    return (text if number > 1 else _without_mark(text)).rstrip("\r\n")


def _without_mark(text: str) -> str:
    """Returns a text without the byte order mark at its start."""
    return text[1:] if text.startswith("\ufeff") else text


def _checked(data: bytes, path: str | Path, first: int) -> str:
    """Returns the text of the lines of a file from line number ``first`` on.

    Raises:
        UserError: a line is not UTF-8 or holds a NUL byte, or the whole text has no newline but
            carriage returns.
    """
    try:
        text = data.decode("utf-8")
        wrong = "\0" in text
    except UnicodeDecodeError:
        wrong = True
    if wrong:
        lines = data.split(b"\n")
        bad_line = next(i for i, line in enumerate(lines) if not _is_text(line))
        raise UserError(_error_message(path, first + bad_line, lines[bad_line]))
    if first == 1 and "\n" not in text and "\r" in text.rstrip("\r"):
        raise UserError(
            f"{path}: its lines end in carriage returns, without a newline; convert the file with "
            "tr '\\r' '\\n'"
        )
    return text


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


def _changed(path: Path) -> UserError:
    """Returns the error for a file that is not what it was when it was checked."""
    return UserError(f"{path} changed while it was being read; run again")


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
