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

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines
from fairseq_amber.preparation.task.encoder import TextEncoder
from fairseq_amber.preparation.task.examples import LabelledExamples
from fairseq_amber.preparation.task.labels import check_blanks

_FORM = "a line is sentence<TAB>sentence<TAB>label"
_SYNONYMS = {"contradictory": "contradiction"}  # XNLI's translations of MultiNLI say so


class PairFile(NamedTuple):
    """The pairs of a file.

    Attributes:
        path: the file.
        first: N first sentences.
        second: N second sentences.
        labels: N labels, "" where a pair has none.
    """

    path: Path
    first: list[str]
    second: list[str]
    labels: list[str]

    def line(self, index: int) -> int:
        """Returns the line of a pair, counted from 1."""
        return index + 1


def read_pairs(path: Path, *, labelled: bool) -> PairFile:
    """Reads all pairs of a file.

    Args:
        path: the file.
        labelled: whether every pair must have a label. In XTREME's test files the third column may
            be empty or absent.

    Raises:
        UserError: the file cannot be read, a line has the wrong number of columns, or a sentence or
            a label is missing; the message names the line.
    """
    file = PairFile(path, [], [], [])
    for number, line in enumerate(read_lines(path), 1):
        columns = line.split("\t")
        if not 2 <= len(columns) <= 3:
            found = f"{len(columns)} column{'s' if len(columns) > 1 else ''}"
            raise UserError(f"{path}:{number}: {found} instead of 3; {_FORM}")
        if '"' in line:
            columns = [_unquoted(column) for column in columns]
        first, second, label = (column.strip() for column in [*columns, ""][:3])
        if not (first and second):
            which = "second" if first else "first"
            raise UserError(f"{path}:{number}: the {which} sentence is empty; remove this line")
        file.first.append(first)
        file.second.append(second)
        file.labels.append(_SYNONYMS.get(label, label))
    check_blanks(file, required=labelled)
    return file


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

    def __init__(self, paths: Sequence[Path], split: str):
        files = [read_pairs(path, labelled=split != "test") for path in paths]
        super().__init__(files)
        self._sides = {
            "first": [text for file in files for text in file.first],
            "second": [text for file in files for text in file.second],
        }

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
