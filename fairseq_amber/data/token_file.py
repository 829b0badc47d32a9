"""Reads and writes the files of fairseq's ``MMapIndexedDataset``, without fairseq.

``<prefix>.bin`` holds the token ids end to end. ``<prefix>.idx`` holds a header (magic, version,
code of the token type, number of sentences), the number of ids of each sentence (int32) and the
byte at which it starts (int64). Opening maps the files and reads the header alone: fairseq's own
reader reads both files from end to end when it opens them, once in every process. What is written
equals byte for byte what ``fairseq-preprocess`` writes.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Callable

import numpy as np

from fairseq_amber.errors import UserError

SUFFIXES = (".bin", ".idx")
_MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<QBQ")
_COUNTED_TOGETHER = 100_000  # sentences
_VERSION = 1
_TYPE_CODES = {np.uint16: 8, np.uint32: 9}  # the types that are written
_TYPES = {4: np.int32, 5: np.int64, 8: np.uint16, 9: np.uint32}  # the types that may hold token ids


class TokenFile:
    """Sentences of token ids.

    It is pickled as its path, so that each data-loading process opens the files itself.

    Attributes:
        sizes: (N,) int32 the number of ids of each sentence.

    Raises:
        UserError: a file is missing, cut short, or of another format.
    """

    def __init__(self, prefix: Path):
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
            _, code, count = _HEADER.unpack(header[len(_MAGIC) : start].tobytes())
            if code not in _TYPES or len(header) != start + 12 * count:
                raise UserError(f"{index} is damaged or cut short: prepare the folder again")
            self.sizes = np.frombuffer(header, np.int32, count, start)
            self._starts = np.frombuffer(header, np.int64, count, start + 4 * count)
            width = np.dtype(_TYPES[code]).itemsize
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

    def count(self, flags: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        """Counts the flagged ids of each sentence: (N,) int32.

        Args:
            flags: maps the ids of sentences end to end, (n,), and the number of ids before them, to
                flags, (n,) bool.
        """
        counts = np.empty(len(self), dtype=np.int32)
        for first in range(0, len(self), _COUNTED_TOGETHER):
            starts = self._starts[first : first + _COUNTED_TOGETHER] // self._tokens.itemsize
            end = int(starts[-1]) + int(self.sizes[first + len(starts) - 1])
            flagged = flags(self._tokens[starts[0] : end], int(starts[0]))
            counts[first : first + len(starts)] = np.add.reduceat(
                flagged, starts - starts[0], dtype=np.int32
            )
        return counts

    def __getstate__(self) -> Path:
        return self.prefix

    def __setstate__(self, prefix: Path) -> None:
        self.__init__(prefix)  # type: ignore[misc]


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
