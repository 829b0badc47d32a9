"""Digests of texts, which tell whether two results were measured on the same test data."""

from __future__ import annotations

import hashlib
from typing import Iterable


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
