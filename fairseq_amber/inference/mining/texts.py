"""Texts to mine from, plain or in BUCC's format, and their gold pairs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import digest_of
from fairseq_amber.files.text import read_lines


class MiningText(NamedTuple):
    """One side: N distinct sentences, from lines that may repeat them.

    Attributes:
        path: where they are from.
        sentences: N, in order of first occurrence.
        rows: (N,) int64, the line of the first occurrence, from 0.
        lines: how many lines there are in all.
        ids: of every line that is not blank.
        sentence_of: (len(ids),) int64, which sentence the line with that id holds.
    """

    path: Path
    sentences: Sequence[str]
    rows: np.ndarray
    lines: int
    ids: Sequence[str]
    sentence_of: np.ndarray

    def first_ids(self) -> list[str]:
        """The id of each of the N sentences; the first one where there are several."""
        _, first = np.unique(self.sentence_of, return_index=True)
        return [self.ids[i] for i in first]


class MiningSet(NamedTuple):
    """Two texts and, if known, which pairs of their sentences are translations.

    gold: (G, 2) int64, distinct pairs of indices into the sentences of source and target.
    """

    source: MiningText
    target: MiningText
    gold: np.ndarray | None

    @property
    def known_gold(self) -> np.ndarray:
        """The gold, where there must be some."""
        if self.gold is None:
            raise ValueError(f"{self.source.path} has no gold")
        return self.gold

    def digest(self) -> str:
        """Of the sentences and the gold, in whatever order its pairs are."""
        pairs = (f"{i} {j}" for i, j in sorted(self.known_gold.tolist()))
        return digest_of(self.source.sentences, self.target.sentences, pairs)


def read_plain(path: Path) -> MiningText:
    """Lines of text, whose ids are their numbers from 1; blank lines are no sentences.

    Raises:
        UserError: as `read_lines`, or all lines are blank.
    """
    lines = read_lines(path)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        raise UserError(f"{path} is blank; give a file with one sentence a line")
    return _distinct(path, lines, [str(row + 1) for row in filled], filled)


def read_bucc(path: Path) -> MiningText:
    """Lines `id<TAB>sentence`.

    Raises:
        UserError: as `read_lines`; a line is not of this form, or its id occurs twice.
    """
    ids: dict[str, int] = {}
    sentences = []
    for number, line in enumerate(read_lines(path), 1):
        name, tab, sentence = line.partition("\t")
        if not (tab and name.strip() and sentence.strip()):
            raise UserError(f"{path}:{number}: expected id<TAB>sentence, found {line[:60]!r}")
        if ids.setdefault(name, number) != number:
            raise UserError(
                f"{path}:{number}: the id {name} is that of line {ids[name]}; give each its own"
            )
        sentences.append(sentence)
    return _distinct(path, sentences, list(ids), range(len(sentences)))


def read_text(path: Path, form: str) -> MiningText:
    """Reads a text whose form is `plain` or `bucc`."""
    return read_bucc(path) if form == "bucc" else read_plain(path)


def numbered(path: Path, lines: int) -> MiningText:
    """Sentences of which only the vectors are known: their texts and ids are 1, 2, ..."""
    names, rows = [str(number) for number in range(1, lines + 1)], np.arange(lines)
    return MiningText(path, names, rows, lines, names, rows)


def _distinct(
    path: Path, lines: Sequence[str], ids: Sequence[str], filled: Sequence[int]
) -> MiningText:
    index: dict[str, int] = {}
    sentence_of = np.empty(len(filled), dtype=np.int64)
    rows: list[int] = []
    for position, row in enumerate(filled):
        sentence_of[position] = index.setdefault(lines[row], len(index))
        if len(rows) < len(index):
            rows.append(row)
    return MiningText(
        path, list(index), np.array(rows, dtype=np.int64), len(lines), ids, sentence_of
    )


def read_gold(path: Path, source: MiningText, target: MiningText) -> np.ndarray:
    """Gold lines `source id<TAB>target id`, as pairs of sentences (G, 2).

    A sentence that occurs on several lines is one sentence: a pair is right if the two texts are
    those of a gold pair, under whichever ids.

    Raises:
        UserError: as `read_lines`; a line is not of this form, or names an id the texts lack.
    """
    rows = [dict(zip(side.ids, side.sentence_of.tolist())) for side in (source, target)]
    pairs = {}
    for number, line in enumerate(read_lines(path), 1):
        names = line.split("\t")
        if len(names) != 2:
            raise UserError(
                f"{path}:{number}: expected source id<TAB>target id, found {line[:60]!r}"
            )
        for name, known, side in zip(names, rows, (source, target)):
            if name not in known:
                raise UserError(f"{path}:{number}: {side.path} has no id {name}")
        pairs[rows[0][names[0]], rows[1][names[1]]] = True
    return np.array(list(pairs), dtype=np.int64)
