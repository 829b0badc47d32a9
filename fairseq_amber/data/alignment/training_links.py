"""Reading the word links of a training corpus from a Pharaoh file.

Line n holds the links of sentence pair n, ``0-0 1-2``: source unit 0 with target unit 0, source
unit 1 with target unit 2. Gold files write ``p`` for ``-`` in possible links, which count alike.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np

from fairseq_amber.errors import UserError

_LINK = re.compile(rb"[0-9]{1,6}[-p][0-9]{1,6}")
_RADIX = 10**6  # no index has more digits
# A line, two indices and their radices make one int64: _BLOCK_BYTES * _RADIX**2 < 2**63.
_BLOCK_BYTES = 1 << 22

_OTHER, _DIGIT, _MARK, _SPACE = range(4)
_KINDS = np.full(256, _OTHER, np.uint8)
_KINDS[list(b"0123456789")] = _DIGIT
_KINDS[list(b"-p")] = _MARK
_KINDS[list(b" \t\r\n\v\f")] = _SPACE
_MAY_FOLLOW = np.zeros(16, bool)  # at 4 * kind + kind of the next byte
for _kind in (_DIGIT, _MARK, _SPACE):
    _MAY_FOLLOW[4 * _DIGIT + _kind] = True
for _kind in (_DIGIT, _SPACE):
    _MAY_FOLLOW[4 * _SPACE + _kind] = True
_MAY_FOLLOW[4 * _MARK + _DIGIT] = True


class _Malformed(Exception):
    """Some entry of a block is no link."""


class _Links(NamedTuple):
    """Of M links: line in the block, source and target index, (M,) int64 each."""

    lines: np.ndarray
    sources: np.ndarray
    targets: np.ndarray


class LinkFile:
    """One-to-one links of N sentence pairs.

    A source or target unit with two or more links loses all of them, as in Cao et al. 2020 (arXiv
    2002.03518); a link that is there twice is one.

    offsets: (N + 1,) int64, pair n has links offsets[n] to offsets[n + 1]; links: (M, 2) int32,
    source and target index, sorted by source in each pair.
    """

    def __init__(self, path: Path, pairs: int):
        """Reads the links of a corpus of so many sentence pairs.

        Raises:
            UserError: the file cannot be read, has another number of lines, or holds an entry that
                is no link (naming the line).
        """
        self.path = path
        counts: list[np.ndarray] = [np.zeros(1, np.int64)]
        links: list[np.ndarray] = [np.empty((0, 2), np.int32)]
        lines = 0
        for block in _blocks(path):
            try:
                found = _one_to_one(_parse(block))
            except _Malformed:
                raise UserError(_complaint(path, lines, block)) from None
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
        """(N,) int32 links of each pair, made anew at each call."""
        return np.diff(self.offsets).astype(np.int32)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """(m, 2) int64 links of a pair: source index, target index."""
        return self.links[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)

    def check(self, source_lengths: np.ndarray, target_lengths: np.ndarray) -> None:
        """Every link must join two units of its sentences.

        Args:
            source_lengths, target_lengths: (N,) units of each sentence.

        Raises:
            UserError: naming the line of the first link that does not.
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
    """The file in blocks of whole lines, each of which ends in a newline."""
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
    """All links of a block, in their order."""
    text = np.frombuffer(b"\n" + block, np.uint8)
    kinds = _KINDS[text]
    if not _MAY_FOLLOW[4 * kinds[:-1] + kinds[1:]].all():
        raise _Malformed
    # The text begins and ends with white space, so that every number has an edge on each side.
    edges = np.flatnonzero(np.diff(kinds == _DIGIT)) + 1
    starts, widths = edges[::2], edges[1::2] - edges[::2]
    behind_mark = kinds[starts - 1] == _MARK
    paired = not behind_mark[::2].any() and behind_mark[1::2].all()
    if not paired or len(starts) % 2 or np.max(widths, initial=0) > 6:
        raise _Malformed
    numbers = np.zeros(len(starts), np.int64)
    for place in range(np.max(widths, initial=0)):
        longer = np.flatnonzero(widths > place)
        numbers[longer] = 10 * numbers[longer] + (text[starts[longer] + place] - ord("0"))
    newlines = np.flatnonzero(text[1:] == ord("\n")) + 1
    return _Links(np.searchsorted(newlines, starts[::2]), numbers[::2], numbers[1::2])


def _one_to_one(links: _Links) -> _Links:
    """The links, sorted and each once, whose two units have no other link."""
    keys = (links.lines * _RADIX + links.sources) * _RADIX + links.targets
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]
    sources, targets = np.divmod(keys, _RADIX)  # sources: with their line
    lines = sources // _RADIX
    by_target = lines * _RADIX + targets
    order = np.argsort(by_target)
    kept = _differs_from_neighbours(sources)
    kept[order] &= _differs_from_neighbours(by_target[order])
    return _Links(lines[kept], (sources % _RADIX)[kept], targets[kept])


def _differs_from_neighbours(values: np.ndarray) -> np.ndarray:
    """(M,) -> (M,) bool."""
    differs = np.ones(len(values), bool)
    changes = values[1:] != values[:-1]
    differs[1:] &= changes
    differs[:-1] &= changes
    return differs


def _complaint(path: Path, lines_before: int, block: bytes) -> str:
    """What to say of the first malformed entry."""
    for number, line in enumerate(block.split(b"\n"), lines_before + 1):
        for entry in line.split():
            if not _LINK.fullmatch(entry):
                text = entry[:40].decode("utf-8", "replace")
                return f"{path}:{number}: {text!r} is no link; expected i-j"
    raise AssertionError("a malformed block without a malformed entry")
