"""Finds where words begin among the subwords of SentencePiece's and WordPiece's vocabularies."""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.errors import UserError

_SENTENCEPIECE_START = "\u2581"  # marks a piece that begins a word
_WORDPIECE_CONTINUATION = "##"  # marks a piece that continues a word

# Scripts written without spaces: Thai, Lao, Tibetan, Myanmar, Khmer, Tai Le to Tai Tham, Javanese;
# then Han, kana and bopomofo with their punctuation and full-width forms.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua980-\ua9df"
    "\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)


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
        out[..., 0] = True
        return out


def last_subwords(sentence: np.ndarray, boundaries: WordBoundaries | None) -> np.ndarray:
    """Returns the positions of the last subword of each word in a sentence of (T,) ids, or of every
    subword if there are no ``boundaries``."""
    if boundaries is None:
        return np.arange(len(sentence))
    return np.flatnonzero(np.append(boundaries.starts(sentence)[1:], True))


def word_counts(sentences: TokenFile, boundaries: WordBoundaries | None) -> np.ndarray:
    """Counts the words of each sentence of a file without ``</s>``, or its subwords if there are no
    ``boundaries``: (N,) int32."""
    if boundaries is None:
        return sentences.sizes - np.int32(1)
    # ``</s>`` is a word of its own, and another word begins behind it.
    return sentences.count(boundaries.starts) - np.int32(1)


def word_boundaries(
    symbols: Sequence[str],
    specials: Specials,
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
        flag: the flag that asks for words, for the error message.
        split_unspaced: False for words between spaces in every script. A WordPiece vocabulary does
            not have these, because it splits at punctuation and at Chinese characters, too.

    Raises:
        UserError: the vocabulary marks no words, or has no words between spaces.
    """
    marked = [s.startswith(_SENTENCEPIECE_START) for s in symbols]
    continued = [s.startswith(_WORDPIECE_CONTINUATION) and len(s) > 2 for s in symbols]
    if not any(marked) and not any(continued):
        raise UserError(
            f"{flag}: dict.txt has neither SentencePiece's word starts "
            f"({_SENTENCEPIECE_START!r}) nor WordPiece's continuations ('##'), so that words "
            "cannot be told apart; take subwords, or prepare the text with SentencePiece"
        )
    if not split_unspaced and sum(continued) > sum(marked):
        raise UserError(
            f"{flag}: a WordPiece vocabulary does not keep the spaces of the text, so that words "
            "between spaces cannot be counted; number the subwords instead (units: subwords)"
        )
    if sum(marked) >= sum(continued):
        begins = np.array(marked)
        stems = [s.lstrip(_SENTENCEPIECE_START) for s in symbols]
    else:
        begins = ~np.array(continued)
        stems = [s[2:] if c else s for s, c in zip(symbols, continued)]
    starts_word = begins.copy()
    ends = np.zeros(len(stems), dtype=bool)
    if split_unspaced:
        begins |= np.array([bool(_UNSPACED.match(stem[:1])) for stem in stems])
        ends |= np.array([bool(_UNSPACED.match(stem[-1:])) for stem in stems])
    for table in (begins, ends, starts_word):
        table[list(specials)] = True
    bare = np.array([begin and not stem for begin, stem in zip(starts_word, stems)])
    bare[list(specials)] = False
    return WordBoundaries(begins, ends, bare, starts_word)
