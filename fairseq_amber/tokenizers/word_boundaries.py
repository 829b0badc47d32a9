"""Finds where words begin among the subwords of SentencePiece's and WordPiece's vocabularies.

There are three kinds of words:

- ``spaces``: what spaces separate.
- ``punctuation``: the same, but each mark of punctuation is a word of its own, as in BERT's basic
  tokeniser (Devlin et al. 2019).
- ``moses``: the tokens of the Moses tokeniser, which ``word_splitters`` finds in text.

A subword is never split: where a word begins within one, the subword belongs to the word of its
first character.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Iterable, NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError

KINDS = ("spaces", "punctuation", "moses")

_SENTENCEPIECE_START = "\u2581"  # marks a piece that begins a word
_WORDPIECE_CONTINUATION = "##"  # marks a piece that continues a word

# Scripts written without spaces: Thai, Lao, Tibetan, Myanmar, Khmer, Tai Le to Tai Tham, Javanese;
# then Han, kana and bopomofo with their punctuation and full-width forms.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua980-\ua9df"
    "\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)

_NAME = re.compile("<unk>|<0x[0-9A-F]{2}>")  # also of a byte; the marks in it are no punctuation


class WordBoundaries(NamedTuple):
    """Tables over the V symbols of a vocabulary.

    Attributes:
        begins: (V,) bool, True for a symbol that begins a word.
        ends: (V,) bool, True for a symbol after which a word begins.
        bare: (V,) bool, True for a mark of a word's beginning without any text. After it, a word
            begins only at a ``marked`` symbol.
        marked: (V,) bool, True for a symbol that is marked as the beginning of a word.
    """

    begins: np.ndarray
    ends: np.ndarray
    bare: np.ndarray | None = None
    marked: np.ndarray | None = None

    def starts(self, tokens: np.ndarray) -> np.ndarray:
        """Finds where words begin: (..., T) ids -> (..., T) bool. Every row begins with a word."""
        out = self.begins[tokens]
        out[..., 1:] |= self.ends[tokens[..., :-1]]
        if self.bare is not None and self.marked is not None:
            out[..., 1:] &= ~self.bare[tokens[..., :-1]] | self.marked[tokens[..., 1:]]
        out[..., :1] = True
        return out


def last_subwords(starts: np.ndarray) -> np.ndarray:
    """Returns the positions of the last subword of each word in a sentence, (n,) int64, from where
    its words begin, (T,) bool."""
    return np.flatnonzero(np.append(starts[1:], True)) if len(starts) else np.zeros(0, np.int64)


def is_punctuation(character: str) -> bool:
    """Tells whether BERT's basic tokeniser splits at a character: Unicode's punctuation, and each
    mark of ASCII that is no letter, digit or space, such as ``$`` and ``^``; False for none."""
    if not character:
        return False
    code = ord(character)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(character).startswith("P")


def is_unspaced(character: str) -> bool:
    """Tells whether a character is of a script that is written without spaces, or of its
    punctuation; False for none."""
    return bool(_UNSPACED.match(character))


def keeps_spaces(symbols: Sequence[str]) -> bool:
    """Tells whether the symbols of a vocabulary mark the spaces of the text, as SentencePiece's do
    and WordPiece's do not."""
    marked, continued = _marks(symbols)
    return sum(marked) >= sum(continued)


def word_boundaries(
    symbols: Sequence[str],
    specials: Iterable[int],
    kind: str = "punctuation",
    *,
    flag: str = "--whole-word-masking",
    split_unspaced: bool = True,
) -> WordBoundaries:
    """Makes the tables of a vocabulary.

    A SentencePiece vocabulary marks the pieces that begin a word (by U+2581), and a WordPiece
    vocabulary marks those that continue one (by ``##``). In scripts written without spaces neither
    shows where words begin (a whole sentence would be one word), so there each piece is a word, as
    each Chinese character is in BERT's multilingual models. ``<s>``, ``</s>``, ``<pad>`` and
    ``<mask>`` are words of their own; ``<unk>`` may be a part of a word.

    Args:
        symbols: the vocabulary's V symbols.
        specials: ids of the special tokens.
        kind: ``spaces`` or ``punctuation``. A WordPiece vocabulary does not have ``spaces``.
        flag: the flag that asks for words, for the error message.
        split_unspaced: False for words between spaces in every script.

    Raises:
        UserError: the vocabulary marks no words.
        ValueError: the vocabulary does not have words of this kind.
    """
    marked, continued = _marks(symbols)
    if not any(marked) and not any(continued):
        raise UserError(
            f"{flag}: dict.txt has neither SentencePiece's word starts "
            f"({_SENTENCEPIECE_START!r}) nor WordPiece's continuations ('##'), so that words "
            "cannot be told apart; take subwords, or prepare the text with SentencePiece"
        )
    if kind == "moses" or (kind == "spaces" and not keeps_spaces(symbols)):
        raise ValueError(f"these pieces do not show the words of {kind}")
    stems = _stems(symbols)
    starts_word = np.array(marked) if keeps_spaces(symbols) else ~np.array(continued)
    begins, ends = starts_word.copy(), np.zeros(len(stems), dtype=bool)
    if split_unspaced:
        begins |= np.array([is_unspaced(stem[:1]) for stem in stems])
        ends |= np.array([is_unspaced(stem[-1:]) for stem in stems])
    if kind == "punctuation":
        begins |= np.array([is_punctuation(stem[:1]) for stem in stems])
        # Behind a mark within the piece begins a word that is not that of its first character.
        ends |= np.array([any(map(is_punctuation, stem)) for stem in stems])
    for table in (begins, ends, starts_word):
        table[list(specials)] = True
    bare = np.array([begin and not stem for begin, stem in zip(starts_word, stems)])
    bare[list(specials)] = False
    return WordBoundaries(begins, ends, bare, starts_word)


def unspaced_boundaries(symbols: Sequence[str]) -> WordBoundaries:
    """Makes tables in which words begin only before and after pieces in scripts written without
    spaces, to be added to words that are known from elsewhere."""
    stems = _stems(symbols)
    begins = np.array([is_unspaced(stem[:1]) for stem in stems])
    ends = np.array([is_unspaced(stem[-1:]) for stem in stems])
    marked = np.array(_marks(symbols)[0]) & keeps_spaces(symbols)
    bare = np.array([mark and not stem for mark, stem in zip(marked, stems)])
    return WordBoundaries(begins, ends, bare, marked)


def _marks(symbols: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Returns which symbols begin a word by SentencePiece's mark, and which continue one by
    WordPiece's."""
    return (
        [s.startswith(_SENTENCEPIECE_START) for s in symbols],
        [s.startswith(_WORDPIECE_CONTINUATION) and len(s) > 2 for s in symbols],
    )


def _stems(symbols: Sequence[str]) -> list[str]:
    """Returns the text of each symbol, without the mark of its convention; a letter for a name that
    is no text."""
    if keeps_spaces(symbols):
        stems = [s.lstrip(_SENTENCEPIECE_START) for s in symbols]
    else:
        stems = [s[2:] if c else s for s, c in zip(symbols, _marks(symbols)[1])]
    return ["x" if _NAME.fullmatch(symbol) else stem for symbol, stem in zip(symbols, stems)]
