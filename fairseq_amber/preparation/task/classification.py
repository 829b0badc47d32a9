"""Reads labelled sentence pairs: ``sentence<TAB>sentence<TAB>label``.

XTREME's files come from Python's csv writer: it puts a sentence that has quotation marks between
two further ones, and doubles those inside. Other files have their quotation marks unchanged. A
sentence counts as quoted only if the csv writer would have written it exactly so; every other
sentence is taken as it stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.text import read_lines
from fairseq_amber.preparation.task.encoder import TextEncoder
from fairseq_amber.preparation.task.examples import LabelledExamples, ReadingOptions
from fairseq_amber.preparation.task.labels import check_blanks

_FORM = "a line is sentence<TAB>sentence<TAB>label"
_SYNONYMS = {"contradictory": "contradiction"}  # XNLI's translations of MultiNLI say so
# The columns' names in the files of PAWS-X, MultiNLI and XNLI, without digits and underscores.
_HEADINGS = {"sentence", "premise", "hypothesis", "hypo", "text", "label", "goldlabel"}


class PairFile(NamedTuple):
    """The pairs of a file.

    Attributes:
        path: the file.
        first: N first sentences.
        second: N second sentences.
        labels: N labels, "" where a pair has none.
        before: the number of lines before the first pair: 1 for a line of headings, else 0.
    """

    path: Path
    first: list[str]
    second: list[str]
    labels: list[str]
    before: int = 0

    def line(self, index: int) -> int:
        """Returns the line of a pair, counted from 1."""
        return index + 1 + self.before


def read_pairs(path: Path, *, labelled: bool, columns: Sequence[int] | None = None) -> PairFile:
    """Reads all pairs of a file. A first line that names the columns is left out with a warning.

    Args:
        path: the file.
        labelled: whether every pair must have a label. In XTREME's test files the third column may
            be empty or absent.
        columns: the columns of both sentences and, if there is one, of the label, counted from 1;
            by default the file has no others.

    Raises:
        UserError: the file cannot be read, a line has the wrong number of columns, or a sentence or
            a label is missing; the message names the line.
    """
    lines = read_lines(path)
    before = int(_are_headings(_chosen(path, 1, lines[0], columns)))
    if before:
        _check_one_language(path, lines)
        warn(f"{path}: line 1 names the columns ({' '.join(lines[0].split())}): it is left out")
    file = PairFile(path, [], [], [], before)
    for number, line in enumerate(lines[before:], 1 + before):
        cells = _chosen(path, number, line, columns)
        if '"' in line:
            cells = [_unquoted(cell) for cell in cells]
        first, second, label = (cell.strip() for cell in [*cells, ""][:3])
        if not (first and second):
            which = "second" if first else "first"
            raise UserError(f"{path}:{number}: the {which} sentence is empty; remove this line")
        file.first.append(first)
        file.second.append(second)
        file.labels.append(_SYNONYMS.get(label, label))
    if not file.first:
        raise UserError(f"{path} has no pairs; {_FORM}")
    check_blanks(file, required=labelled)
    return file


def _chosen(path: Path, number: int, line: str, columns: Sequence[int] | None) -> list[str]:
    """Returns the sentences of a line and, if it has one, the label."""
    cells = line.split("\t")
    found = f"{len(cells)} column{'s' if len(cells) > 1 else ''}"
    if columns is not None:
        if len(cells) < max(columns):
            raise UserError(
                f"{path}:{number}: {found}, but --columns {','.join(map(str, columns))}"
            )
        return [cells[column - 1] for column in columns]
    if not 2 <= len(cells) <= 3:
        remedy = "; if the file has more, name those to read by --columns, such as --columns 2,3,4"
        raise UserError(
            f"{path}:{number}: {found} instead of 3; {_FORM}{remedy if len(cells) > 3 else ''}"
        )
    return cells


def _are_headings(cells: Sequence[str]) -> bool:
    names = ("".join(filter(str.isalpha, cell.lower())) for cell in cells)
    return all(name in _HEADINGS for name in names)


def _check_one_language(path: Path, lines: Sequence[str]) -> None:
    """Checks that the column "language", which XNLI's own files have, holds one language."""
    headings = lines[0].split("\t")
    if "language" in headings:
        column = headings.index("language")
        found = dict.fromkeys((line.split("\t") + [""] * column)[column] for line in lines[1:])
        if len(found) > 1:
            raise UserError(
                f"{path} holds pairs in {', '.join(found)}; give a file for each language"
            )


def _unquoted(column: str) -> str:
    if len(column) < 4 or not column[0] == column[-1] == '"':
        return column
    inner = column[1:-1]
    if '""' not in inner or '"' in inner.replace('""', ""):
        return column
    return inner.replace('""', '"')


class SentencePairs(LabelledExamples):
    """Pairs of sentences, each with a label."""

    unit = "pairs"
    token_arrays = ("first_tokens", "second_tokens")
    xtreme_files = {
        "xnli": ("xnli/train-LANG.tsv", "xnli/dev-LANG.tsv", "xnli/test-LANG.tsv"),
        "pawsx": ("pawsx/train-LANG.tsv", "pawsx/dev-LANG.tsv", "pawsx/test-LANG.tsv"),
    }
    options = ("columns",)

    def __init__(self, paths: Sequence[Path], split: str, columns: Sequence[int] | None = None):
        files = [read_pairs(path, labelled=split != "test", columns=columns) for path in paths]
        super().__init__(files)
        self._sides = {
            "first": [text for file in files for text in file.first],
            "second": [text for file in files for text in file.second],
        }

    @classmethod
    def read(cls, paths: Sequence[Path], split: str, options: ReadingOptions) -> SentencePairs:
        return cls(paths, split, options.columns)

    @classmethod
    def fixed_labels(cls, task: str) -> list[str]:
        return {"xnli": ["contradiction", "entailment", "neutral"], "pawsx": ["0", "1"]}[task]

    @property
    def number(self) -> int:
        return len(self._sides["first"])

    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        arrays = {}
        for side, texts in self._sides.items():
            arrays[f"{side}_tokens"], arrays[f"{side}_lengths"] = encoder.encode(texts)
        return {**arrays, "labels": self._numbers}
