"""Splits lines of text into words, the units that links number."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.parallel_text import language_of

WORDS = ("whitespace", "moses")

Splitter = Callable[[str], List[str]]


def word_splitter(kind: str, path: Path, language: str | None = None, *, flag: str) -> Splitter:
    """Returns a function that splits the lines of a file into words.

    Args:
        kind: ``whitespace`` splits at white space, so that the tokens of a tokenized file stay as
            they are; ``moses`` uses the Moses tokenizer (sacremoses), without escaping &, < and
            others.
        path: the file.
        language: two letters, for ``moses``; by default the language in the name of the file.
        flag: the command-line flag that gives the language, for an error.

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
