"""Words and phrases that a language never inflects: numerals, conjunctions, times and the like."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from fairseq_amber.demo_corpus.word_table import read_table


class FixedWord(NamedTuple):
    """A row of ``fixed_words.tsv``.

    Attributes:
        kind: what the concept is.
        concept: its name.
        words: how the language says it; times and positions name the units of their words as
            ``tokens.adverbial`` reads them, such as ``am/12 Morgen/3``.
    """

    kind: Literal["numeral", "possessive", "position", "join", "time", "manner"]
    concept: str
    words: str


def read_fixed_words(path: Path) -> dict[str, dict[str, str]]:
    """Reads a table of fixed words.

    Returns:
        For each kind, the words of each concept.
    """
    words: dict[str, dict[str, str]] = {}
    for row in read_table(path, FixedWord, keys=2):
        words.setdefault(row.kind, {})[row.concept] = row.words
    return words
