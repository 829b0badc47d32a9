"""Reads the word links of a training corpus from a Pharaoh file.

Line n holds the links of sentence pair n. ``0-0 1-2`` links source unit 0 with target unit 0, and
source unit 1 with target unit 2. Gold files write ``p`` for ``-`` in possible links; here both
count alike.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np

from fairseq_amber.errors import UserError

_LINK = re.compile(rb"[0-9]{1,6}[-p][0-9]{1,6}")
_RADIX = 10**6  # no index has more digits
# A line number and two indices fit into one int64: _BLOCK_BYTES * _RADIX**2 < 2**63.
_BLOCK_BYTES = 1 << 22
_MARKS_TO_SPACES = bytes.maketrans(b"-p", b"  ")


class _Malformed(Exception):
    """A block has an entry that is not a link."""


class _Links(NamedTuple):
    """M links of a block.

    Attributes:
        lines: (M,) int64 the line of each link in the block.
        sources: (M,) int64 its source index.
        targets: (M,) int64 its target index.
    """

    lines: np.ndarray
    sources: np.ndarray
    targets: np.ndarray


class LinkFile:
    """One-to-one links of N sentence pairs.

    A source or target unit with two or more links loses all of them, as in Cao et al. 2020 (arXiv
    2002.03518). A link that occurs twice in a line counts once.

    Attributes:
        offsets: (N + 1,) int64; pair n has the links offsets[n] to offsets[n + 1].
        links: (M, 2) int32 source and target index, sorted by source in each pair.
    """

    def __init__(self, path: Path, pairs: int):
        """Reads the links of a corpus.

        Args:
            path: the Pharaoh file.
            pairs: the number of sentence pairs of the corpus.

        Raises:
            UserError: the file cannot be read, has another number of lines, or has an entry that is
                not a link (the message names the line).
        """
        self.path = path
        counts: list[np.ndarray] = [np.zeros(1, np.int64)]
        links: list[np.ndarray] = [np.empty((0, 2), np.int32)]
        lines = 0
        for block in _blocks(path):
            try:
                found = _one_to_one(_parse(block))
            except _Malformed:
                raise UserError(_malformed_entry_message(path, lines, block)) from None
            size = block.count(b"\n")
            counts.append(np.bincount(found.lines, minlength=size))
            links.append(np.stack(found[1:], axis=1).astype(np.int32))
            lines += size
        if lines != pairs:
            raise UserError(
                f"{path} has {lines:,} lines but the corpus has {pairs:,} sentence pairs: the "
                "links must be of the very text that was binarised, line by line, without the "
                "lines that fairseq-amber prepare dropped"
            )
        self.offsets = np.cumsum(np.concatenate(counts))
        self.links = np.concatenate(links)

    @property
    def counts(self) -> np.ndarray:
        """(N,) int32 the number of links of each pair; a new array at each call."""
        return np.diff(self.offsets).astype(np.int32)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """Returns the links of a pair: (m, 2) int64, source index and target index."""
        return self.links[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)

    def check(self, source_lengths: np.ndarray, target_lengths: np.ndarray) -> None:
        """Checks that every link joins two units of its sentences.

        Args:
            source_lengths: (N,) the number of units of each source sentence.
            target_lengths: (N,) the number of units of each target sentence.

        Raises:
            UserError: a link lies outside its sentences; the message names the line of the first
                such link.
        """
        lengths = np.stack([source_lengths, target_lengths], axis=1).astype(np.int32)
        outside = (self.links >= np.repeat(lengths, self.counts, axis=0)).any(axis=1)
        if outside.any():
            first = int(np.argmax(outside))
            pair = int(np.searchsorted(self.offsets, first, side="right")) - 1
            (i, j), (source, target) = self.links[first], lengths[pair]
            raise UserError(
                f"{self.path}:{pair + 1}: {i}-{j} lies outside its sentences, of lengths {source} "
                f"and {target}: the links must count from 0 and be of the very text that was "
                "binarised, line by line"
            )


def _blocks(path: Path) -> Iterator[bytes]:
    """Yields the file in blocks of whole lines, each of which ends in a newline."""
    try:
        with open(path, "rb") as file:
            while True:
                block = file.read(_BLOCK_BYTES)
                if not block:
                    break
                block += file.readline()
                yield block if block.endswith(b"\n") else block + b"\n"
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _parse(block: bytes) -> _Links:
    """Parses all links of a block, in order. The links are well-formed if there are as many entries
    between white space as marks, each entry has 1 to 6 digits on both sides of its mark, and the
    block has no other characters."""
    text = np.frombuffer(b"\n" + block, np.uint8)  # every entry begins behind white space
    is_space = (text == ord(" ")) | (text - np.uint8(ord("\t")) < 5)  # also \n, \v, \f and \r
    is_digit = text - np.uint8(ord("0")) < 10
    is_mark = (text == ord("-")) | (text == ord("p"))
    edges = np.flatnonzero(is_space[1:] != is_space[:-1]) + 1
    begins, ends, marks = edges[::2], edges[1::2], np.flatnonzero(is_mark)
    if len(marks) != len(begins) or not (is_space | is_digit | is_mark).all():
        raise _Malformed
    digits = np.concatenate([marks - begins, ends - marks - 1])
    if digits.min(initial=1) < 1 or digits.max(initial=1) > 6:
        raise _Malformed
    numbers: np.ndarray = np.zeros(0, np.int64)
    if len(marks):
        numbers = np.fromstring(block.translate(_MARKS_TO_SPACES), np.int64, sep=" ")
    newlines = np.flatnonzero(text[1:] == ord("\n")) + 1
    return _Links(np.searchsorted(newlines, marks), numbers[::2], numbers[1::2])


def _one_to_one(links: _Links) -> _Links:
    """Keeps the links whose two units have no other link, sorted, each once."""
    keys = (links.lines * _RADIX + links.sources) * _RADIX + links.targets
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]
    sources, targets = np.divmod(keys, _RADIX)  # a source here includes its line
    lines = sources // _RADIX
    by_target = lines * _RADIX + targets
    order = np.argsort(by_target)
    kept = _differs_from_neighbours(sources)
    kept[order] &= _differs_from_neighbours(by_target[order])
    return _Links(lines[kept], (sources % _RADIX)[kept], targets[kept])


def _differs_from_neighbours(values: np.ndarray) -> np.ndarray:
    """Finds the values that equal neither the one before nor the one after: (M,) -> (M,) bool."""
    differs = np.ones(len(values), bool)
    changes = values[1:] != values[:-1]
    differs[1:] &= changes
    differs[:-1] &= changes
    return differs


def _malformed_entry_message(path: Path, lines_before: int, block: bytes) -> str:
    """Returns the error message about the first malformed entry."""
    for number, line in enumerate(block.split(b"\n"), lines_before + 1):
        for entry in line.split():
            if not _LINK.fullmatch(entry):
                text = entry[:40].decode("utf-8", "replace")
                return f"{path}:{number}: {text!r} is not a link; expected i-j"
    raise AssertionError("a malformed block without a malformed entry")
