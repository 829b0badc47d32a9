"""Where in a text its subwords stand, in characters of the text as it was before normalisation."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple, Sequence

import numpy as np

# White space, and what SentencePiece's rules read as such: marks of direction and of joints, the
# byte order mark, U+2581 and U+FFFD.
_SPACES = np.array([chr(code).isspace() for code in range(0x10000)])
_SPACES[[0x61C, 0x200B, 0x200C, 0x200E, 0x200F, 0x2581, 0xFEFF, 0xFFFD]] = True


class PlacedSubwords(NamedTuple):
    """numbers: (n,) int32 of the pieces of all texts, end to end. lengths: (texts,) int64 how many
    each has. offsets: (n, 2) int32 the characters [begin, end) of its text that each stands for,
    without white space at their ends; begins and ends never fall within a text."""

    numbers: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray


def join(parts: Sequence[PlacedSubwords]) -> PlacedSubwords:
    """Those of several texts, in order."""
    if not parts:
        empty = np.zeros((0, 2), np.int32)
        return PlacedSubwords(empty[:, 0], np.zeros(0, np.int64), empty)
    return PlacedSubwords(*map(np.concatenate, zip(*parts)))


def from_bytes(text: str, begins: np.ndarray, ends: np.ndarray, has_text: np.ndarray) -> np.ndarray:
    """(n, 2) int32 characters of the spans that SentencePiece gives for a text.

    Its spans are of UTF-8 bytes, hold the space before a word, and, of pieces that together make
    up one character before normalisation, leave it to the last one; here each of them has it.

    Args:
        begins, ends: (n,) bytes.
        has_text: (n,) bool, False for pieces that stand for spaces alone.
    """
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    widths = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    starts = np.cumsum(widths) - widths
    places = np.searchsorted(starts, np.stack([begins, ends], axis=1))
    spaces = _SPACES[np.minimum(codes, 0xFFFF)]
    # where the next character that is no space begins, and the last one before ended
    size = len(codes)
    indices = np.arange(size)
    following = np.minimum.accumulate(np.append(np.where(spaces, size, indices), size)[::-1])[::-1]
    ended = np.maximum.accumulate(np.append(0, np.where(spaces, 0, indices + 1)))
    begin = np.minimum(following[places[:, 0]], places[:, 1])
    end = np.maximum(ended[places[:, 1]], begin)
    end = np.where(has_text & (end == begin), np.minimum(begin + 1, size), end)
    return np.stack([begin, end], axis=1).astype(np.int32)


def with_marks(text: str, offsets: np.ndarray) -> np.ndarray:
    """Spans that take in the combining marks right behind them, which normalisation dropped.

    Args:
        offsets: (n, 2) characters, changed in place.
    """
    nexts = np.append(offsets[1:, 0], len(text))
    for i in np.flatnonzero(offsets[:, 1] < nexts):
        end = offsets[i, 1]
        while end < nexts[i] and unicodedata.category(text[end])[0] == "M":
            end += 1
        offsets[i, 1] = end
    return offsets
