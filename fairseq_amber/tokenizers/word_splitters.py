"""Splits lines of text into words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Callable, Iterable, List, Sequence

import numpy as np

from fairseq_amber.errors import UserError, warn
from fairseq_amber.tokenizers.word_boundaries import is_punctuation

Splitter = Callable[[str], List[str]]

# What separates given tokens. The other white space of Unicode, such as U+00A0, is part of a token,
# as it is for fast_align, eflomal and the numbering of published gold alignments.
_TOKEN = re.compile("[^ \t]+")

_DROPPED = 3  # characters between two words that a splitter may drop, such as control characters

# Those that are no white space.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b]")

# BERT's Chinese characters.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def check_splitter(kind: str, languages: Iterable[str]) -> None:
    """Checks that words of a kind can be found in text of some languages, and warns where Moses
    does not know a language.

    Raises:
        UserError: sacremoses is missing.
    """
    if kind != "moses":
        return
    try:
        from sacremoses.corpus import NonbreakingPrefixes
    except ImportError:
        raise UserError(
            "--word-boundaries moses needs sacremoses; pip install sacremoses"
        ) from None
    known = NonbreakingPrefixes().available_langs
    for language in languages:
        if language not in known:
            warn(
                f"Moses has no abbreviations of {language!r} and takes the English ones; languages "
                "have two letters, such as de"
            )


def word_splitter(kind: str, language: str | None = None) -> Splitter:
    """Returns a function that splits lines into words, for which ``check_splitter`` has passed.

    Args:
        kind: ``spaces`` splits at the spaces and tabs of ASCII, so that the tokens of a tokenised
            text stay as they are; ``white-space`` splits at all white space of Unicode, such as
            U+3000; ``punctuation`` also makes each mark of punctuation and each Chinese character a
            word, as BERT's basic tokeniser; ``moses`` uses the Moses tokeniser (sacremoses),
            without escaping &, < and others.
        language: two letters, for ``moses``.
    """
    if kind == "spaces":
        return _TOKEN.findall
    if kind == "white-space":
        return str.split
    if kind == "punctuation":
        table = _SpacedOut()
        return lambda line: line.translate(table).split()
    return _moses(language or "en")


@lru_cache(maxsize=None)
def _moses(language: str) -> Splitter:
    from sacremoses import MosesTokenizer

    tokenize = MosesTokenizer(language).tokenize
    return lambda line: tokenize(line, escape=False)


class _SpacedOut(dict):
    """For ``str.translate``: puts spaces around the characters that are words of their own."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        alone = is_punctuation(character) or any(a <= code <= b for a, b in _IDEOGRAPHS)
        self[code] = f" {character} " if alone else character
        return self[code]


def word_begins(line: str, words: Sequence[str]) -> np.ndarray:
    """Finds the words of a line in it, in their order.

    Args:
        line: the line.
        words: its words, which are parts of the line; control characters may be missing in them. A
            word that is not found, because the splitter has changed it, belongs to the one before
            it.

    Returns:
        (n,) int64, the character at which each word that is found begins.
    """
    if _CONTROL.search(line):  # Moses drops them
        kept = [i for i, character in enumerate(line) if not _CONTROL.match(character)]
        line = "".join(line[i] for i in kept)
        words = list(filter(None, (_CONTROL.sub("", word) for word in words)))
        return np.array(kept, dtype=np.int64)[word_begins(line, words)]
    begins, end = [], 0
    missed = 0  # characters of the words that are not found since the last that is
    for word in words:
        begin = line.find(word, end)
        skipped = "".join(line[end:begin].split()) if begin > end else ""
        if begin < 0 or len(skipped) > missed + _DROPPED:
            missed += len(word)
            continue
        begins.append(begin)
        end, missed = begin + len(word), 0
    return np.array(begins, dtype=np.int64)
