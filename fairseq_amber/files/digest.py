"""Digests: of texts, which tell whether two results were measured on the same test data, and of
files, which tell whether a file is still what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Iterable

from fairseq_amber.errors import UserError

_CHUNK = 1 << 20  # bytes that are read at a time


def digest_of(*texts: Iterable[str]) -> str:
    """Returns a digest of texts that does not depend on the names of their files.

    Args:
        texts: the lines of each text. The digest changes if a line, the order of the lines or the
            division into texts changes.

    Returns:
        The first 16 hexadecimal digits of SHA-256.
    """
    digest = hashlib.sha256()
    for text in texts:
        for line in text:
            data = line.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(data), data))
        digest.update(b";")
    return digest.hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """Returns a digest of the bytes of a file, which it reads in constant memory.

    Returns:
        The 32 hexadecimal digits of BLAKE2b with 16 bytes.

    Raises:
        UserError: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return digest.hexdigest()
