"""Encodes lines, and finds the subwords that begin their words.

A subword belongs to the word of its first character. Where the pieces of a line, end to end, are
the line without its spaces, the lengths of pieces and words say all. Other lines, in which a
character is unknown or is normalised to others, are placed by ``Subwords.encode_with_offsets``,
which takes twenty times as long.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from fairseq_amber.tokenizers.subwords import SPACE, Subwords
from fairseq_amber.tokenizers.word_boundaries import keeps_spaces
from fairseq_amber.tokenizers.word_splitters import Splitter, word_begins


class WordStarts:
    """Encodes lines with the beginnings of their words.

    Args:
        subwords: the tokenizer.
    """

    def __init__(self, subwords: Subwords):
        self._subwords = subwords
        # A space, which no line without spaces has, stands for a piece whose text is not known.
        pieces = [" " if piece is None else piece for piece in subwords.pieces]
        if keeps_spaces(pieces):
            self._texts = [piece.strip(SPACE) for piece in pieces]
        else:
            self._texts = [p[2:] if p.startswith("##") and len(p) > 2 else p for p in pieces]
        self._lengths = np.array(list(map(len, self._texts)), dtype=np.int64)

    def encode(
        self, lines: Sequence[str], split: Splitter
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Encodes lines.

        Args:
            lines: the lines.
            split: splits a line into words, which are its parts in their order.

        Returns:
            The two arrays of ``Subwords.encode``; and (n,) bool for the pieces of all lines end to
            end, True where a word begins. Every line begins with a word.
        """
        numbers, lengths = self._subwords.encode(lines)
        starts = np.ones(len(numbers), dtype=bool)
        others: list[tuple[int, list[str]]] = []
        begins = np.cumsum(lengths) - lengths
        for index, (begin, length) in enumerate(zip(begins.tolist(), lengths.tolist())):
            line, words = lines[index], split(lines[index])
            own = numbers[begin : begin + length]
            word = self._words_of_pieces(line, words, own)
            if word is None:
                others.append((index, words))
            else:
                starts[begin + 1 : begin + length] = word[1:] != word[:-1]
        placed = self._subwords.encode_with_offsets([lines[index] for index, _ in others])
        end = 0
        for (index, words), length in zip(others, placed.lengths.tolist()):
            first, end = end, end + length
            at = placed.offsets[first:end, 0]
            word = np.searchsorted(word_begins(lines[index], words), at, "right")
            starts[begins[index] + 1 : begins[index] + length] = word[1:] != word[:-1]
        return numbers, lengths, starts

    def _words_of_pieces(
        self, line: str, words: Sequence[str], numbers: np.ndarray
    ) -> np.ndarray | None:
        """Returns the number of the word of each piece, by the lengths of both; None where these do
        not make up the line."""
        text = "".join(line.split())
        if "".join(words) != text:
            return None
        pieces = "".join([self._texts[number] for number in numbers.tolist()])
        lower = text.lower()
        if pieces != text and (pieces != lower or len(lower) != len(text)):
            return None
        sizes = self._lengths[numbers]
        ends = np.cumsum(np.fromiter(map(len, words), dtype=np.int64, count=len(words)))
        return np.searchsorted(ends, np.cumsum(sizes) - sizes, "right")
