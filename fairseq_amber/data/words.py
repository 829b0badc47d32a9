"""Finds the words of the sentences of a token file, from their tokens or from kept boundaries."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Sequence

import numpy as np

from fairseq_amber.data.joined_token_file import JoinedTokenFile
from fairseq_amber.data.kept_words import SUFFIX, KeptWordFile
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.word_boundaries import (
    WordBoundaries,
    keeps_spaces,
    unspaced_boundaries,
    word_boundaries,
)

_AT_OPENING = 1 << 20  # ids; it is enough to notice another text


class Words(Protocol):
    """The words of the N sentences of a token file."""

    def starts(self, index: int, tokens: np.ndarray) -> np.ndarray:
        """Finds where the words of a sentence begin.

        Args:
            index: the number of the sentence.
            tokens: (T,) its first T ids.

        Returns:
            (T,) bool. Every sentence begins with a word.
        """

    def counts(self) -> np.ndarray:
        """Counts the words of each sentence, without ``</s>``: (N,) int32."""


class TokenWords:
    """Words that the tokens show.

    Args:
        file: the sentences.
        boundaries: where words begin.
    """

    def __init__(self, file: TokenFile, boundaries: WordBoundaries):
        self._file = file
        self._boundaries = boundaries

    def starts(self, index: int, tokens: np.ndarray) -> np.ndarray:
        """See ``Words.starts``."""
        return self._boundaries.starts(tokens)

    def counts(self) -> np.ndarray:
        """See ``Words.counts``."""
        # ``</s>`` is a word of its own, and another word begins behind it.
        counts = self._file.count(lambda tokens, _: self._boundaries.starts(tokens))
        return counts - np.int32(1)


class KeptWords:
    """Words that ``fairseq-amber prepare`` has kept beside the tokens.

    Args:
        file: the sentences.
        kept: where their words begin.
        unspaced: further words that the tokens show; None for none.
    """

    def __init__(self, file: TokenFile, kept: KeptWordFile, unspaced: WordBoundaries | None):
        self._file = file
        self._kept = kept
        self._unspaced = unspaced

    def starts(self, index: int, tokens: np.ndarray) -> np.ndarray:
        """See ``Words.starts``."""
        return self._flags(tokens, self._file.place(index))

    def counts(self) -> np.ndarray:
        """See ``Words.counts``."""
        return self._file.count(self._flags) - np.int32(1)

    def _flags(self, tokens: np.ndarray, start: int) -> np.ndarray:
        starts = self._kept.read(start, len(tokens))
        return starts if self._unspaced is None else starts | self._unspaced.starts(tokens)


class JoinedWords:
    """The words of several files, one after the other.

    Args:
        file: the sentences of all files.
        words: the words of each file.
    """

    def __init__(self, file: JoinedTokenFile, words: Sequence[Words]):
        self._file = file
        self._words = words

    def starts(self, index: int, tokens: np.ndarray) -> np.ndarray:
        """See ``Words.starts``."""
        number, inside = self._file.find(index)
        return self._words[number].starts(inside, tokens)

    def counts(self) -> np.ndarray:
        """See ``Words.counts``."""
        return np.concatenate([words.counts() for words in self._words])


class WordFinder:
    """Finds the words of one kind in the files of a data folder.

    Words that ``fairseq-amber prepare`` has kept come before those that pieces show: SentencePiece
    also begins a piece behind U+00A0, which is part of a given token. Words in scripts written
    without spaces are single pieces in any case, unless ``split_unspaced`` is False.

    Args:
        kind: one of ``tokenizers.word_boundaries.KINDS``.
        symbols: the symbols of the dictionary.
        specials: ids of the special tokens.
        flag: the flags that ask for these words, for errors.
        split_unspaced: see ``word_boundaries``.

    Raises:
        UserError: the vocabulary does not mark words.
    """

    def __init__(
        self,
        kind: str,
        symbols: Sequence[str],
        specials: Sequence[int],
        *,
        flag: str,
        split_unspaced: bool = True,
    ):
        self.kind = kind
        self.flag = flag
        self._unspaced = self._tables = None
        shown = kind == "punctuation" or (kind == "spaces" and keeps_spaces(symbols))
        if shown:
            self._tables = word_boundaries(
                symbols, specials, kind, flag=flag, split_unspaced=split_unspaced
            )
        if split_unspaced and kind != "punctuation":
            self._unspaced = unspaced_boundaries(symbols)

    def words(self, file: TokenFile) -> Words:
        """Returns the words of a file.

        Raises:
            UserError: they have to be kept beside the file, and are not, or are of another kind or
                another text.
        """
        if isinstance(file, JoinedTokenFile):
            return JoinedWords(file, [self.words(part) for part in file.files])
        path = Path(f"{file.prefix}{SUFFIX}")
        if self._tables is not None and not self._has_kept(path, file):
            return TokenWords(file, self._tables)
        remedy = (
            "prepare the folder with `fairseq-amber prepare RAW DATA_BIN --word-boundaries "
            f"{self.kind}`"
        )
        if not path.exists():
            reason = "SentencePiece or WordPiece" if self.kind == "moses" else "WordPiece"
            raise UserError(
                f"{self.flag}: {path.parent} has no {path.name}, and the pieces of {reason} do "
                f"not show the words of {self.kind}: {remedy}"
            )
        kept = KeptWordFile(file.prefix)
        if kept.kind != self.kind:
            raise UserError(
                f"{self.flag}: {path} has the words of {kept.kind}, not of {self.kind}: {remedy}"
            )
        check_kept(file, kept, _AT_OPENING)
        return KeptWords(file, kept, self._unspaced)

    def _has_kept(self, path: Path, file: TokenFile) -> bool:
        """Tells whether words of this kind are kept beside a file whose pieces show them, too."""
        return path.exists() and KeptWordFile(file.prefix).kind == self.kind


def check_kept(file: TokenFile, kept: KeptWordFile, most: int | None = None) -> None:
    """Checks that words begin where sentences do, and at each ``</s>``.

    Args:
        file: the sentences.
        kept: where their words begin.
        most: the check ends after about so many ids; None for all.

    Raises:
        UserError: the words are of another text.
    """
    error = UserError(
        f"{file.prefix}{SUFFIX} is of another text than {file.prefix}.bin: prepare the folder again"
    )
    if kept.tokens != file.tokens:
        raise error
    for begin, tokens, starts in file.blocks():
        words = kept.read(begin, len(tokens))
        ends = np.append(starts[1:], len(tokens)) - 1
        if not (words[starts].all() and words[ends].all()):
            raise error
        if most is not None and begin + len(tokens) >= most:
            break


def link_word_finder(symbols: Sequence[str], specials: Sequence[int], flag: str) -> WordFinder:
    """Returns the finder of the words that links number: those between spaces, in every script; see
    ``WordFinder``."""
    return WordFinder("spaces", symbols, specials, flag=flag, split_unspaced=False)
