"""Reads and writes where words begin in a binarised text, one bit for each stored token.

``<prefix>.words`` lies beside ``<prefix>.bin`` and ``.idx``. It has a header (magic, version, kind
of words in 16 bytes, number n of tokens) and n bits in ``numpy.packbits``' order. A bit is 1 if a
word begins at its token; ``</s>`` is a word of its own.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np

from fairseq_amber.errors import UserError

SUFFIX = ".words"
_MAGIC = b"AMBRWRDS"
_HEADER = struct.Struct("<8sQ16sQ")
_VERSION = 1


class KeptWordFile:
    """The bits of a file, which is mapped into memory.

    It is pickled as its path, so that each data-loading process opens the file itself.

    Attributes:
        kind: the kind of the words.
        tokens: the number of tokens.

    Raises:
        UserError: the file cannot be read, is damaged, or is another kind of file.
    """

    def __init__(self, prefix: Path):
        self.prefix = prefix
        path = Path(f"{prefix}{SUFFIX}")
        try:
            size = path.stat().st_size
            if size < _HEADER.size:
                raise UserError(f"{path} is damaged or cut short: prepare the folder again")
            content = np.memmap(path, np.uint8, "r").view(np.ndarray)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from None
        magic, version, name, self.tokens = _HEADER.unpack(content[: _HEADER.size].tobytes())
        if magic != _MAGIC or version != _VERSION:
            raise UserError(
                f"{path} is not a file of word boundaries of fairseq-amber prepare, or of another "
                "version: prepare the folder again"
            )
        self.kind = name.rstrip(b"\0").decode("ascii", "replace")
        if size != _HEADER.size + (self.tokens + 7) // 8 or not self.kind.isalnum():
            raise UserError(f"{path} is damaged or cut short: prepare the folder again")
        self._bits = content[_HEADER.size :]

    def read(self, start: int, count: int) -> np.ndarray:
        """Returns the bits of ``count`` tokens from number ``start`` on: (count,) bool."""
        first = start // 8
        packed = self._bits[first : (start + count + 7) // 8]
        bits = np.unpackbits(packed)[start - 8 * first :]
        return bits[:count].view(bool)

    def __getstate__(self) -> Path:
        return self.prefix

    def __setstate__(self, prefix: Path) -> None:
        self.__init__(prefix)  # type: ignore[misc]


class KeptWordWriter:
    """Writes one file. Call ``finish`` after the last block, and ``close`` in any case."""

    def __init__(self, prefix: Path, kind: str):
        self.prefix = prefix
        self._kind = kind
        self._tokens = 0
        self._rest = np.zeros(0, dtype=bool)  # bits that do not fill a byte yet
        self._stream = open(f"{prefix}{SUFFIX}", "wb")
        self._stream.write(bytes(_HEADER.size))

    def add(self, starts: np.ndarray) -> None:
        """Appends the (n,) bool of further tokens."""
        self._tokens += len(starts)
        bits = np.concatenate([self._rest, starts])
        whole = len(bits) - len(bits) % 8
        self._stream.write(np.packbits(bits[:whole]).tobytes())
        self._rest = bits[whole:]

    def finish(self) -> None:
        """Writes the last byte and the header. The file is then complete and on the disk."""
        self._stream.write(np.packbits(self._rest).tobytes())
        self._stream.seek(0)
        kind = self._kind.encode("ascii")
        self._stream.write(_HEADER.pack(_MAGIC, _VERSION, kind, self._tokens))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Closes the file. If the disk was full, the rest is lost with the temporary file."""
        with suppress(OSError):
            self._stream.close()
