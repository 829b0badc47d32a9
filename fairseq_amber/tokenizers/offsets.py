"""Finds where subwords stand in a text, in characters of the text before its normalisation.

SentencePiece's own offsets are not used as they are. They count UTF-8 bytes in every version, and
the ways to have characters changed: ``immutable_proto`` is gone since 0.2.3 and ``offset_mapping``
exists only since then. They also include the space before a word, and where normalisation turns one
character into several, only one of the resulting pieces covers it. The offsets here do neither, as
an answer in a text requires.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple, Sequence

import numpy as np

# White space, and the characters that SentencePiece turns into spaces: marks of direction and of
# joints, the byte order mark, U+2581 and U+FFFD.
_SPACES = np.array([chr(code).isspace() for code in range(0x10000)])
_SPACES[[0x61C, 0x200B, 0x200C, 0x200E, 0x200F, 0x2581, 0xFEFF, 0xFFFD]] = True


class PlacedSubwords(NamedTuple):
    """The pieces of several texts, with their places.

    Attributes:
        numbers: (n,) int32, the pieces of all texts end to end.
        lengths: (texts,) int64, the number of pieces of each text.
        offsets: (n, 2) int32, the characters [begin, end) of its text that each piece stands for,
            without white space at either end. Neither begins nor ends decrease within a text.
    """

    numbers: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray


def join(parts: Sequence[PlacedSubwords]) -> PlacedSubwords:
    """Joins the pieces of several texts, in order."""
    if not parts:
        empty = np.zeros((0, 2), np.int32)
        return PlacedSubwords(empty[:, 0], np.zeros(0, np.int64), empty)
    return PlacedSubwords(*map(np.concatenate, zip(*parts)))


def from_bytes(text: str, begins: np.ndarray, ends: np.ndarray, has_text: np.ndarray) -> np.ndarray:
    """Converts the spans that SentencePiece gives for a text.

    SentencePiece's spans count UTF-8 bytes and include the space before a word, and where one
    character becomes several pieces, only the last of them covers it. The spans that are returned
    leave the space out, and each of these pieces covers the character.

    Args:
        text: the text before normalisation.
        begins: (n,) first byte of each piece.
        ends: (n,) the byte after each piece.
        has_text: (n,) bool, False for pieces that stand for spaces alone.

    Returns:
        (n, 2) int32, the characters [begin, end) of each piece.
    """
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    widths = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    starts = np.cumsum(widths) - widths
    places = np.searchsorted(starts, np.stack([begins, ends], axis=1))
    spaces = _SPACES[np.minimum(codes, 0xFFFF)]
    # At each character: the next one that is not a space, and the end of the last one before it.
    size = len(codes)
    indices = np.arange(size)
    begins_from_end = np.append(np.where(spaces, size, indices), size)[::-1]
    next_begins = np.minimum.accumulate(begins_from_end)[::-1]
    previous_ends = np.maximum.accumulate(np.append(0, np.where(spaces, 0, indices + 1)))
    begin = np.minimum(next_begins[places[:, 0]], places[:, 1])
    end = np.maximum(previous_ends[places[:, 1]], begin)
    end = np.where(has_text & (end == begin), np.minimum(begin + 1, size), end)
    return np.stack([begin, end], axis=1).astype(np.int32)


def with_marks(text: str, offsets: np.ndarray) -> np.ndarray:
    """Extends spans over the combining marks right after them, which normalisation dropped.

    Args:
        text: the text before normalisation.
        offsets: (n, 2) characters; they are changed in place.

    Returns:
        The same offsets.
    """
    next_begins = np.append(offsets[1:, 0], len(text))
    for i in np.flatnonzero(offsets[:, 1] < next_begins):
        end = offsets[i, 1]
        while end < next_begins[i] and unicodedata.category(text[end])[0] == "M":
            end += 1
        offsets[i, 1] = end
    return offsets
