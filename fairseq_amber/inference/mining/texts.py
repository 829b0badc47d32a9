"""Reads the texts to mine, plain or in BUCC's format, and their gold pairs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import digest_of
from fairseq_amber.files.text import read_lines


class MiningText(NamedTuple):
    """One side: the N distinct sentences of a text, whose lines may repeat them.

    Attributes:
        path: the file of the text.
        sentences: the N sentences, in order of first occurrence.
        rows: (N,) int64, the line in which each sentence occurs first, counted from 0.
        lines: number of lines, blank and repeated ones included.
        ids: the id of each line that is not blank.
        sentence_of: (len(ids),) int64, index of the sentence in the line with each id.
    """

    path: Path
    sentences: Sequence[str]
    rows: np.ndarray
    lines: int
    ids: Sequence[str]
    sentence_of: np.ndarray

    def first_ids(self) -> list[str]:
        """Returns the id of each sentence: that of the first line that holds it."""
        _, first = np.unique(self.sentence_of, return_index=True)
        return [self.ids[i] for i in first]


class MiningSet(NamedTuple):
    """Two texts to mine, with their gold pairs if these are known.

    Attributes:
        source: the source text.
        target: the target text.
        gold: (G, 2) int64, distinct pairs of a source and a target sentence that are translations,
            as indices of sentences; None if they are not known.
    """

    source: MiningText
    target: MiningText
    gold: np.ndarray | None

    @property
    def known_gold(self) -> np.ndarray:
        """The gold pairs.

        Raises:
            ValueError: the gold pairs are not known.
        """
        if self.gold is None:
            raise ValueError(f"{self.source.path} has no gold")
        return self.gold

    def digest(self) -> str:
        """Returns a digest of the sentences and the gold pairs, whose order does not matter."""
        pairs = (f"{i} {j}" for i, j in sorted(self.known_gold.tolist()))
        return digest_of(self.source.sentences, self.target.sentences, pairs)


def read_plain(path: Path) -> MiningText:
    """Reads text with one sentence per line. The id of a line is its number, counted from 1.

    Blank lines are skipped.

    Raises:
        UserError: the file cannot be read, see ``read_lines``, or all lines are blank.
    """
    lines = read_lines(path)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        raise UserError(f"{path} is blank; give a file with one sentence per line")
    return _distinct(path, lines, [str(row + 1) for row in filled], filled)


def read_bucc(path: Path) -> MiningText:
    """Reads text in BUCC's format: lines ``id<TAB>sentence``.

    Raises:
        UserError: the file cannot be read, see ``read_lines``, a line has another form, or an id
            occurs twice.
    """
    ids: dict[str, int] = {}
    sentences = []
    for number, line in enumerate(read_lines(path), 1):
        name, tab, sentence = line.partition("\t")
        if not (tab and name.strip() and sentence.strip()):
            raise UserError(f"{path}:{number}: expected id<TAB>sentence, found {line[:60]!r}")
        if ids.setdefault(name, number) != number:
            raise UserError(
                f"{path}:{number}: the id {name} is that of line {ids[name]}; "
                "give each line its own"
            )
        sentences.append(sentence)
    return _distinct(path, sentences, list(ids), range(len(sentences)))


def read_text(path: Path, format_name: str) -> MiningText:
    """Reads a text whose format is ``plain`` or ``bucc``."""
    return read_bucc(path) if format_name == "bucc" else read_plain(path)


def numbered(path: Path, lines: int) -> MiningText:
    """Makes a text of which only the vectors are known; its sentences and ids are 1, 2, ..."""
    names, rows = [str(number) for number in range(1, lines + 1)], np.arange(lines)
    return MiningText(path, names, rows, lines, names, rows)


def _distinct(
    path: Path, lines: Sequence[str], ids: Sequence[str], filled: Sequence[int]
) -> MiningText:
    """Finds the distinct sentences among the lines whose indices are ``filled``."""
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
    """Reads gold pairs: lines ``source id<TAB>target id``.

    Lines that hold the same sentence have different ids but are one sentence here. A mined pair is
    therefore correct if its two sentences are those of a gold pair, whichever ids the gold names.

    Returns:
        (G, 2) int64, distinct pairs of a source and a target sentence, as indices of sentences.

    Raises:
        UserError: the file cannot be read, see ``read_lines``, a line has another form, or a text
            has no such id.
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
