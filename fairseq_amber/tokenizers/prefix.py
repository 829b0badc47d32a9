"""The flag ``--prefix``: text that some models expect in front of each sentence.

Multilingual E5 (Wang et al., 2024, arXiv 2402.05672) was trained with ``query: `` and ``passage: ``
there, and its authors give ``query: `` to both sides of symmetric tasks, such as mining.
"""

from __future__ import annotations

import argparse
import shlex


def prefix(text: str) -> str:
    """Reads a prefix; an empty one is none.

    White space at its end stays, because it parts the prefix from the sentence.

    Raises:
        argparse.ArgumentTypeError: it is white space alone, or is not UTF-8.
    """
    if text and not text.strip():
        raise argparse.ArgumentTypeError(f"expected some text, not {text!r}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise argparse.ArgumentTypeError("expected text in UTF-8")
    return text


def quoted(text: str) -> str:
    """Returns a text as one types it in bash, in one line."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = text.encode("unicode_escape").decode("ascii")
    return "$'" + escaped.replace("'", "\\'") + "'"
