"""Reads the bytes of files that may be compressed: gzip, bzip2, xz and Zstandard.

The first bytes of a file decide, not its name, so that standard input is read alike, and text that
is named .gz by mistake is text. Several compressed streams one after the other, as parallel
compressors and ``cat a.gz b.gz`` write them, are one text.
"""

from __future__ import annotations

import bz2
import io
import lzma
import shutil
import subprocess
import threading
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

from fairseq_amber.errors import UserError
from fairseq_amber.files.git_lfs import check_no_pointer

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")

_CHUNK = 1 << 18  # bytes that are read, and at most decompressed, at a time
_LONGEST_LINE = 1 << 26  # bytes; a longer one is no line, and would fill the memory
_HEAD = 24  # bytes that tell what a file is
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # what follows BZh1 to BZh9: a block, or the end
_ARCHIVES = {
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x04\x22\x4d\x18": "compressed by lz4",
    b"\x1f\x9d": "compressed by compress",
}


def plain_name(name: str) -> str:
    """Returns a file's name without the ending of a compressed one: train.de for train.de.gz."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


class PlainReader(io.BufferedReader):
    """A stream of the plain bytes of a stream that may be compressed.

    Reading raises UserError if the stream is damaged or cut short, or has a line that would fill
    the memory.

    Args:
        stream: the stream, which may be a pipe; it is closed with this one.
        name: its name in errors.

    Attributes:
        compressed: whether the stream is compressed.

    Raises:
        UserError: the stream cannot be read, or is an archive of a kind that is not read, or
            what Git leaves in the place of a large file.
    """

    def __init__(self, stream: BinaryIO, name: str):
        try:
            head = stream.read(_HEAD)
        except OSError as error:
            raise UserError(f"cannot read {name}: {error.strerror}") from None
        for start, what in _ARCHIVES.items():
            if head.startswith(start):
                raise UserError(f"{name} is {what}, not text; unpack it, or compress it by gzip")
        check_no_pointer(head, name)
        kind = _kind(head)
        self.compressed = kind is not None
        super().__init__(_Chunks(_plain_chunks(stream, head, kind, name), stream, name), _CHUNK)


def open_plain(path: str | Path) -> PlainReader:
    """Opens a file, compressed or not, for reading its plain bytes from the start, once.

    Raises:
        UserError: the file cannot be opened; see also ``PlainReader``.
    """
    try:
        file = open(path, "rb")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return PlainReader(file, str(path))


class _Chunks(io.RawIOBase):
    """A stream of the bytes that an iterator yields.

    Args:
        chunks: the bytes.
        source: the stream behind the iterator, which is closed with this one.
        name: the name of the stream in errors.
    """

    def __init__(self, chunks: Iterator[bytes], source: BinaryIO, name: str):
        self._chunks = chunks
        self._source = source
        self._name = name
        self._left = memoryview(b"")
        self._since_newline = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._since_newline = 0 if b"\n" in chunk else self._since_newline + len(chunk)
            if self._since_newline > _LONGEST_LINE:
                raise UserError(
                    f"{self._name} has a line of more than {_LONGEST_LINE >> 20} MB; give text "
                    "with one sentence per line"
                )
            self._left = memoryview(chunk)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._chunks.close()  # type: ignore[attr-defined]  # a generator
            self._source.close()
        super().close()


def _kind(head: bytes) -> str | None:
    """Returns the kind of compression that the first bytes of a file show; None if it has none."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    # The second form is a frame without text, with which parallel compressors begin.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"*M\x18" and head[0] >> 4 == 5):
        return "zstd"
    return None


def _plain_chunks(stream: BinaryIO, head: bytes, kind: str | None, name: str) -> Iterator[bytes]:
    """Yields the plain bytes of a stream, of which ``head`` has been read.

    Raises:
        UserError: the stream is damaged or cut short, or cannot be read.
    """
    try:
        chunks = _chunks_of(stream, head)
        if kind is None:
            yield from chunks
        elif kind == "zstd":
            yield from _run_zstd(chunks, name)
        else:
            yield from _decompress(chunks, _DECOMPRESSORS[kind])
    except EOFError:
        raise _damaged(name, kind, "it ends too early") from None
    except (zlib.error, lzma.LZMAError) as error:
        raise _damaged(name, kind, str(error)) from None
    except OSError as error:
        if error.errno is None:  # bzip2 has no error of its own
            raise _damaged(name, kind, str(error)) from None
        raise UserError(f"cannot read {name}: {error.strerror}") from None


def _damaged(name: str, kind: str | None, reason: str) -> UserError:
    return UserError(
        f"{name} is damaged or cut short ({kind}: {reason.strip()}); fetch or compress it again"
    )


def _chunks_of(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    chunk = head
    while chunk:
        yield chunk
        # read1 returns what a pipe holds, and does not wait for more
        chunk = stream.read1(_CHUNK)  # type: ignore[attr-defined]


class _Gzip:
    """zlib's object with the interface of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, most)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


def _decompress(chunks: Iterator[bytes], new: Callable[[], Any]) -> Iterator[bytes]:
    """Decompresses one stream after the other.

    The readers of Python's library leave out, without a word, what follows a stream and is no
    stream itself, such as a damaged one.

    Raises:
        EOFError: the last stream is cut short.
    """
    decompressor = new()
    for chunk in chunks:
        while chunk:
            if decompressor.eof:
                chunk = chunk.lstrip(b"\0")  # streams may be padded with zeros
                if not chunk:
                    break
                decompressor = new()
            found = decompressor.decompress(chunk, _CHUNK)
            while found:
                yield found
                found = b"" if decompressor.eof else decompressor.decompress(b"", _CHUNK)
            chunk = decompressor.unused_data
    if not decompressor.eof:
        raise EOFError


def _run_zstd(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Decompresses by the program zstd, because Python's library cannot before 3.14."""
    program = shutil.which("zstd")
    if program is None:
        raise UserError(
            f"{name} is compressed by zstd, a program that is not installed: install it (apt "
            "install zstd, brew install zstd, conda install zstd), or compress the file by gzip"
        )
    process = subprocess.Popen(
        [program, "-dcq", "--long=31"],  # which is the largest window
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr
    feeder = threading.Thread(target=_feed, args=(process.stdin, chunks), daemon=True)
    feeder.start()
    try:
        while chunk := process.stdout.read(_CHUNK):
            yield chunk
        if process.wait() != 0:
            reason = process.stderr.read().decode("utf-8", "replace").strip().split(": ")[-1]
            raise _damaged(name, "zstd", reason)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        feeder.join(1)


def _feed(pipe: Any, chunks: Iterator[bytes]) -> None:
    try:
        with pipe:
            for chunk in chunks:
                pipe.write(chunk)
    except (OSError, ValueError):  # the program has ended, or nobody reads on
        pass
