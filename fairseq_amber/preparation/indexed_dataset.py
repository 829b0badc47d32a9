"""Writes the files of fairseq's MMapIndexedDataset, without fairseq and block by block.

``<prefix>.bin`` holds the token ids end to end. ``<prefix>.idx`` holds a header (magic, version,
code of the token type, number of lines), the number of ids of each line (int32) and the byte at
which it starts (int64). Byte for byte what ``fairseq-preprocess`` writes.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np

SUFFIXES = (".bin", ".idx")
_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
_TYPE_CODES = {np.uint16: 8, np.uint32: 9}


def token_dtype(vocabulary_size: int) -> type[np.unsignedinteger]:
    """The type fairseq stores the ids of a vocabulary of this size in."""
    return np.uint16 if vocabulary_size < 65500 else np.uint32


class DatasetWriter:
    """One dataset in the making. Call `finish` after the last block, `close` in any case."""

    def __init__(self, prefix: Path, dtype: type[np.unsignedinteger]):
        self.prefix = prefix
        self._dtype = dtype
        self._sizes: list[np.ndarray] = []
        self._stream = open(f"{prefix}.bin", "wb")

    def add(self, ids: np.ndarray, sizes: np.ndarray) -> None:
        """Appends lines: their ids end to end, and (lines,) how many ids each has."""
        self._stream.write(ids.astype(self._dtype, copy=False).tobytes())
        self._sizes.append(sizes.astype(np.int32))

    def finish(self) -> None:
        """Writes the index; both files are then whole, and on the disk."""
        _sync(self._stream)
        sizes = np.concatenate(self._sizes or [np.zeros(0, dtype=np.int32)])
        pointers = np.zeros(len(sizes), dtype=np.int64)
        np.cumsum(sizes[:-1], dtype=np.int64, out=pointers[1:])
        pointers *= np.dtype(self._dtype).itemsize
        with open(f"{self.prefix}.idx", "wb") as stream:
            stream.write(_MAGIC)
            stream.write(struct.pack("<QBQ", _VERSION, _TYPE_CODES[self._dtype], len(sizes)))
            stream.write(sizes.data)
            stream.write(pointers.data)
            _sync(stream)

    def close(self) -> None:
        """Lets go of the files; what a full disk did not take is lost with the temporary file."""
        with suppress(OSError):
            self._stream.close()


def _sync(stream) -> None:
    stream.flush()
    os.fsync(stream.fileno())
