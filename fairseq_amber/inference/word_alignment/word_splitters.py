"""What counts as a word of a line of text."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.parallel_text import language_of

WORDS = ("whitespace", "moses")

Splitter = Callable[[str], List[str]]


def word_splitter(kind: str, path: Path, language: str | None = None, *, flag: str) -> Splitter:
    """Splits the lines of a file into words.

    `whitespace`: what white space separates, so that a file of tokens keeps them. `moses`: the
    tokens of the Moses tokenizer (sacremoses), without its escapes of &, < and others.

    Args:
        language: two letters, for moses; without it, the one that the file is named after.
        flag: of the command line, which gives the language.

    Raises:
        UserError: sacremoses is missing, or the language is not known.
    """
    if kind == "whitespace":
        return str.split
    language = language or language_of(path)
    if language is None:
        raise UserError(
            f"--words moses: {path} is not named <split>.<src>-<tgt>.<lang>; give its language "
            f"with {flag}"
        )
    try:
        from sacremoses import MosesTokenizer
        from sacremoses.corpus import NonbreakingPrefixes
    except ImportError:
        raise UserError("--words moses needs sacremoses; pip install sacremoses") from None
    if language not in NonbreakingPrefixes().available_langs:
        warn(
            f"Moses has no abbreviations of {language!r} and takes the English ones; languages "
            "have two letters, such as de"
        )
    tokenize = MosesTokenizer(language).tokenize
    return lambda line: tokenize(line, escape=False)
