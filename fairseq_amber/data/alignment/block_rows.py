"""Rows that are filled with consecutive lines of a text, as pre-training has them.

RoBERTa's FULL-SENTENCES and DOC-SENTENCES (Liu et al. 2019, arXiv 1907.11692, section 4.2) and
BERT's two segments (Devlin et al. 2019, arXiv 1810.04805, appendix A.2), without the prediction of
the next sentence.
"""

from __future__ import annotations

import numpy as np

from fairseq_amber.data.counter_random import integers, random_bits
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import Words

_CUT_TOGETHER = 30_000  # lines; the arrays of so many stay in the cache of the processor
_BOUNDARY = np.array([1 << 62])  # behind the numbers of the same stream that mask the row


class BlockCorpus:
    """Rows of text in one language, without special tokens at their ends.

    A row takes whole lines in their order, and ends before the line that would not fit. So the rows
    depend on the text and the settings alone, and every line is in one row. They are those of
    fairseq's ``TokenBlockDataset`` with the break mode ``complete`` (with ``documents``:
    ``complete_doc``) and blocks of capacity + 1 ids, without the ``</s>`` at a block's end, but for
    two things:

    - A line longer than the capacity is a row of its own, as in fairseq, but is cut.
    - An empty line adds nothing to a row, while ``complete`` keeps its ``</s>``. There is no row
      without tokens.

    Args:
        name: the language.
        sentences: the N stored lines.
        capacity: the largest number of ids in a row, those between two lines included.
        separated: keep the ``</s>`` that each line is stored with between two lines of a row, as
            fairseq and RoBERTa do; otherwise nothing stands there, as in a segment of BERT's.
        documents: an empty line ends a document, and no row holds lines of two documents; otherwise
            rows pass over empty lines.
        words: the words of the lines; None if no term needs them.

    Raises:
        ValueError: the capacity is below 1.
    """

    parallel = False

    def __init__(
        self,
        name: str,
        sentences: TokenFile,
        capacity: int,
        *,
        separated: bool = True,
        documents: bool = False,
        words: Words | None = None,
    ):
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.name = name
        self.sentences = sentences
        self.capacity = capacity
        self.separated = separated
        self.words = words
        sizes = sentences.sizes
        starts, used = cut_rows(sizes, capacity + separated, separated, documents)
        self._lengths = used - np.int32(separated)
        # A row's end is the start of the next, for the empty lines between them add nothing.
        dtype = np.int32 if len(sizes) < 2**31 else np.int64
        self._bounds = np.append(starts, len(sizes)).astype(dtype)

    @property
    def lengths(self) -> np.ndarray:
        """(R,) int32 ids of each row; a new array at each call."""
        return self._lengths.copy()

    @property
    def empty(self) -> np.ndarray:
        """(R,) bool, all False, because no row is empty; a new array at each call."""
        return np.zeros(len(self), dtype=bool)

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        lines = [self.sentences[line] for line in self._lines(index).tolist()]
        if not self.separated:
            return np.concatenate([line[:-1] for line in lines])[: self.capacity]
        return np.concatenate(lines)[:-1][: self.capacity]

    def word_starts(self, index: int, tokens: np.ndarray) -> np.ndarray | None:
        """Returns where words begin among the ``tokens`` of a row; None if no term needs them. Each
        line begins with a word."""
        if self.words is None:
            return None
        lines = self._lines(index).tolist()
        end = None if self.separated else -1
        starts = [self.words.starts(line, self.sentences[line][:end]) for line in lines]
        return np.concatenate(starts)[: len(tokens)]

    def line_starts(self, index: int) -> np.ndarray:
        """Returns the positions in a row at which its n lines begin: (n,) int64, ascending from 0.
        Empty lines are not among them."""
        sizes = self.sentences.sizes[self._lines(index)]
        starts = np.zeros(len(sizes), dtype=np.int64)
        np.cumsum(sizes[:-1] - (not self.separated), out=starts[1:])
        return starts

    def _lines(self, index: int) -> np.ndarray:
        """Returns the (n,) int64 numbers of the lines of a row, without empty ones."""
        first, end = int(self._bounds[index]), int(self._bounds[index + 1])
        return first + np.flatnonzero(self.sentences.sizes[first:end] > 1)


def cut_rows(
    sizes: np.ndarray, room: int, separated: bool, documents: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fills rows with lines, each until the next line does not fit.

    Args:
        sizes: (N,) int32 stored ids of each line, ``</s>`` included.
        room: the largest sum of the sizes in a row. A larger line counts as one of this size.
        separated: the ``</s>`` of a line takes room.
        documents: a row ends at an empty line, which is one of size 1.

    Returns:
        (R,) int64, the first line of each row, which is not empty; (R,) int32, the room that each
        row uses, between 1 and ``room``.
    """
    all_starts, all_used = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    left = 0  # room that the last row has left
    before = -1  # the last line before these that is not empty
    for first in range(0, len(sizes), _CUT_TOGETHER):
        stored = sizes[first : first + _CUT_TOGETHER]
        lines = np.flatnonzero(stored > 1)
        if not len(lines):
            continue
        costs = np.minimum(stored[lines] - (not separated), room)
        ends = np.cumsum(costs, dtype=np.int64)
        if documents:  # shifted by a whole row, no line of the next document fits into this one
            ends += room * np.cumsum(np.diff(lines, prepend=before - first) > 1)
        begins = ends - costs
        following = np.searchsorted(ends, begins + room, "right")  # of a row from each line on
        continued = int(np.searchsorted(ends, left, "right"))
        if continued:
            all_used[-1][-1] += ends[continued - 1]
        starts = _chain(following, continued)
        if len(starts):
            all_starts.append(first + lines[starts])
            all_used.append((ends[following[starts] - 1] - begins[starts]).astype(np.int32))
        left = room - int(all_used[-1][-1])
        before = first + int(lines[-1])
    return np.concatenate(all_starts), np.concatenate(all_used)


def _chain(following: np.ndarray, start: int) -> np.ndarray:
    """Returns start, following[start], and so on, as far as they are indices: (n,) int64."""
    steps, chain = following.tolist(), []
    while start < len(steps):
        chain.append(start)
        start = steps[start]
    return np.array(chain, dtype=np.int64)


def second_segment(line_starts: np.ndarray, key: np.uint64) -> int | None:
    """Draws where the second of BERT's two segments of a row begins, as BERT's own data preparation
    does: each boundary between two lines is equally likely.

    Args:
        line_starts: (n,) int64 positions at which the lines of the row begin.
        key: the row's key of ``data.counter_random.stream_keys``. The key that also masks the row
            is right: masking takes other random numbers of its stream.

    Returns:
        The position of the second segment's first token; None for a row of a single line, which has
        one segment.
    """
    if len(line_starts) < 2:
        return None
    bits = random_bits(np.array([key], dtype=np.uint64), _BOUNDARY)
    return int(line_starts[integers(bits, 1, len(line_starts))[0]])
