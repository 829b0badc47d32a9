"""Reads and writes the files of fairseq's ``MMapIndexedDataset``, without fairseq.

``<prefix>.bin`` holds the token ids end to end. ``<prefix>.idx`` holds a header (magic, version,
code of the token type, number of sentences), the number of ids of each sentence (int32) and the
byte at which it starts (int64). The first process that opens the files maps them and checks the
``.idx`` against itself and against the size of the ``.bin``; the processes that it sends them to
read the header alone. (fairseq's own reader reads both files from end to end in every process, and
checks nothing.) What is written equals byte for byte what ``fairseq-preprocess`` writes.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator

import numpy as np

from fairseq_amber.errors import UserError

SUFFIXES = (".bin", ".idx")
_MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<QBQ")
_READ_TOGETHER = 100_000  # sentences
_VERSION = 1
_TYPE_CODES = {np.uint16: 8, np.uint32: 9}  # the types that are written
_TYPES = {4: np.int32, 5: np.int64, 8: np.uint16, 9: np.uint32}  # the types that may hold token ids


class TokenFile:
    """Sentences of token ids.

    It is pickled as its path, so that each data-loading process opens the files itself.

    Args:
        prefix: the path of the files, without ``.bin`` and ``.idx``.
        checked: another process has checked the ``.idx``.

    Attributes:
        sizes: (N,) int32 the number of ids of each sentence.

    Raises:
        UserError: a file is missing, damaged, cut short, or of another format.
    """

    def __init__(self, prefix: Path, *, checked: bool = False):
        self.prefix = prefix
        index, data = Path(f"{prefix}.idx"), Path(f"{prefix}.bin")
        try:
            header, data_bytes = _map(index), data.stat().st_size
            start = len(_MAGIC) + _HEADER.size
            if header[: len(_MAGIC)].tobytes() != _MAGIC or len(header) < start:
                raise UserError(
                    f"{index} is not the index of a binarised corpus: binarise with fairseq-amber "
                    "prepare, or with fairseq-preprocess --dataset-impl mmap"
                )
            version, code, count = _HEADER.unpack(header[len(_MAGIC) : start].tobytes())
            if version != _VERSION or code not in _TYPES or len(header) != start + 12 * count:
                raise UserError(f"{index} is damaged or cut short: prepare the folder again")
            self.sizes = np.frombuffer(header, np.int32, count, start)
            self._starts = np.frombuffer(header, np.int64, count, start + 4 * count)
            width = np.dtype(_TYPES[code]).itemsize
            if not checked:
                self._check_places(index, width)
            wanted = int(self._starts[-1]) + width * int(self.sizes[-1]) if count else 0
            if data_bytes != wanted:
                raise UserError(
                    f"{data} has {data_bytes:,} bytes but its .idx requires {wanted:,}: it is cut "
                    "short, or of another run; prepare the folder again"
                )
            self._tokens = _map(data).view(_TYPES[code])
        except OSError as error:
            raise UserError(
                f"cannot read {error.filename or prefix}: {error.strerror or error}"
            ) from None

    def _check_places(self, index: Path, width: int) -> None:
        """Checks that every sentence starts where the one before it ends.

        Raises:
            UserError: one does not, or has a negative number of ids.
        """
        end = 0
        for first in range(0, len(self), _READ_TOGETHER):
            sizes = self.sizes[first : first + _READ_TOGETHER]
            ends = end + width * np.cumsum(sizes, dtype=np.int64)
            starts = np.concatenate([[end], ends[:-1]])
            wrong = (self._starts[first : first + len(sizes)] != starts) | (sizes < 0)
            if wrong.any():
                raise UserError(
                    f"{index} is damaged: the sizes and places of its sentences disagree from "
                    f"number {first + int(np.argmax(wrong)) + 1:,} on; prepare the folder again"
                )
            end = int(ends[-1])

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> np.ndarray:
        """Returns the (T,) int64 ids of a sentence."""
        start = self.place(index)
        return self._tokens[start : start + int(self.sizes[index])].astype(np.int64)

    def head(self, sentences: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ids of the first n sentences end to end, and the (n,) int64 ends of the
        sentences."""
        ends = np.cumsum(self.sizes[:sentences], dtype=np.int64)
        return self._tokens[: ends[-1] if len(ends) else 0], ends

    @property
    def tokens(self) -> int:
        """The number of ids of all sentences."""
        return len(self._tokens)

    def place(self, index: int) -> int:
        """Returns the number of ids before a sentence."""
        return int(self._starts[index]) // self._tokens.itemsize

    def blocks(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields all sentences in blocks of n: the number of ids before them, their ids end to end,
        and the (n,) int64 starts of the sentences among these."""
        for first in range(0, len(self), _READ_TOGETHER):
            starts = self._starts[first : first + _READ_TOGETHER] // self._tokens.itemsize
            begin = int(starts[0])
            end = int(starts[-1]) + int(self.sizes[first + len(starts) - 1])
            yield begin, self._tokens[begin:end], starts - begin

    def count(self, flags: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        """Counts the flagged ids of each sentence: (N,) int32.

        Args:
            flags: maps the ids of sentences end to end, (n,), and the number of ids before them, to
                flags, (n,) bool.
        """
        counts = np.empty(len(self), dtype=np.int32)
        done = 0
        for begin, tokens, starts in self.blocks():
            flagged = flags(tokens, begin)
            counts[done : done + len(starts)] = np.add.reduceat(flagged, starts, dtype=np.int32)
            done += len(starts)
        return counts

    def __getstate__(self) -> Path:
        return self.prefix

    def __setstate__(self, prefix: Path) -> None:
        self.__init__(prefix, checked=True)  # type: ignore[misc]


def _map(path: Path) -> np.ndarray:
    """Maps the n bytes of a file into memory: (n,) uint8."""
    if path.stat().st_size == 0:
        return np.empty(0, np.uint8)  # an empty file cannot be mapped
    return np.memmap(path, np.uint8, "r").view(np.ndarray)


def token_dtype(vocabulary_size: int) -> type[np.unsignedinteger]:
    """Returns the type in which fairseq stores the ids of a vocabulary of this size."""
    return np.uint16 if vocabulary_size < 65500 else np.uint32


class DatasetWriter:
    """Writes one dataset. Call ``finish`` after the last block, and ``close`` in any case."""

    def __init__(self, prefix: Path, dtype: type[np.unsignedinteger]):
        self.prefix = prefix
        self._dtype = dtype
        self._sizes: list[np.ndarray] = []
        self._stream = open(f"{prefix}.bin", "wb")

    def add(self, ids: np.ndarray, sizes: np.ndarray) -> None:
        """Appends lines.

        Args:
            ids: the ids of the lines end to end.
            sizes: (lines,) the number of ids of each line.
        """
        self._stream.write(ids.astype(self._dtype, copy=False).tobytes())
        self._sizes.append(sizes.astype(np.int32))

    def finish(self) -> None:
        """Writes the index. Both files are then complete and on the disk."""
        _sync(self._stream)
        sizes = np.concatenate(self._sizes or [np.zeros(0, dtype=np.int32)])
        pointers = np.zeros(len(sizes), dtype=np.int64)
        np.cumsum(sizes[:-1], dtype=np.int64, out=pointers[1:])
        pointers *= np.dtype(self._dtype).itemsize
        with open(f"{self.prefix}.idx", "wb") as stream:
            stream.write(_MAGIC)
            stream.write(_HEADER.pack(_VERSION, _TYPE_CODES[self._dtype], len(sizes)))
            stream.write(sizes.data)
            stream.write(pointers.data)
            _sync(stream)

    def close(self) -> None:
        """Closes the files. If the disk was full, the rest is lost with the temporary file."""
        with suppress(OSError):
            self._stream.close()


def _sync(stream) -> None:
    stream.flush()
    os.fsync(stream.fileno())
