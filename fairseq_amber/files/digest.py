"""What tells test data apart, under whatever name their files lie."""

from __future__ import annotations

import hashlib
from typing import Iterable


def digest_of(*texts: Iterable[str]) -> str:
    """16 hexadecimal digits of SHA-256 that any change to a line, and to their order, changes."""
    digest = hashlib.sha256()
    for text in texts:
        for line in text:
            data = line.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(data), data))
        digest.update(b";")
    return digest.hexdigest()[:16]
