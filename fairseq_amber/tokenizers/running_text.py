"""The subwords of given words as in running text, in scripts that have no spaces between words.

Where words of such a script are given one by one, as in gold alignments, SentencePiece cuts each of
them as if a space stood before it: ``▁`` and the word. In text as people write it, and on which
encoders are trained, there is no such sign.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.subwords import SPACE
from fairseq_amber.tokenizers.word_boundaries import is_unspaced, keeps_spaces


class RunningText:
    """Takes the sign for a space from words that are written without one before them.

    These are the words after the first that begin with a character of a script without spaces, or
    follow one. Each word is cut as alone: a piece never spans two words.

    Args:
        pieces: the pieces of a tokenizer; None for special tokens.
        dictionary: the fairseq ``Dictionary`` that numbers them.

    Raises:
        UserError: the pieces do not mark spaces, as WordPiece's do not.
    """

    def __init__(self, pieces: Sequence[str | None], dictionary: Any):
        symbols = [piece for piece in pieces if piece is not None]
        if not keeps_spaces(symbols):
            raise UserError(
                "--as-written takes SentencePiece's sign for a space away, and this vocabulary is "
                "WordPiece's, which has none; leave it out"
            )
        ids = {symbol: dictionary.index(symbol) for symbol in symbols}
        known = {symbol: i for symbol, i in ids.items() if i != dictionary.unk()}
        self._bare = known.pop(SPACE, None)
        self._unmarked = {
            i: known[symbol[1:]]
            for symbol, i in known.items()
            if symbol.startswith(SPACE) and symbol[1:] in known
        }

    def __call__(self, words: Sequence[str], ids: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the ids of the words of a sentence as in running text.

        Args:
            words: the words.
            ids: the ids of each word alone, (L,) int64.
        """
        result = list(ids[:1])
        for before, word, own in zip(words, words[1:], ids[1:]):
            if len(own) and (is_unspaced(word[:1]) or is_unspaced(before[-1:])):
                if own[0] == self._bare and len(own) > 1:
                    own = own[1:]
                elif own[0] in self._unmarked:
                    own = np.append(self._unmarked[own[0]], own[1:])
            result.append(own)
        return result
