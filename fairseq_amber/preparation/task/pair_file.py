"""Reading labelled sentence pairs: ``sentence<TAB>sentence<TAB>label``.

XTREME's files come from Python's csv writer: a sentence with a quotation mark in it stands between
two others, and its own are doubled. Files of other origin have quotation marks as they are. A
sentence counts as quoted only where the csv writer would have quoted it just so; everything else
is taken as it stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines
from fairseq_amber.preparation.task.labels import check_blanks

_FORM = "a line is sentence<TAB>sentence<TAB>label"
_SYNONYMS = {"contradictory": "contradiction"}  # of MultiNLI's translations


class PairFile(NamedTuple):
    """first, second, labels: N each, a label "" where there is none."""

    path: Path
    first: list[str]
    second: list[str]
    labels: list[str]

    def line(self, index: int) -> int:
        """The line, from 1, of a pair."""
        return index + 1


def read_pairs(path: Path, *, labelled: bool) -> PairFile:
    """All pairs of a file. If it need not be ``labelled``, as XTREME's test files, the third
    column may be empty or absent.

    Raises:
        UserError: it cannot be read, a line has another number of columns, or a sentence or a
            label is missing (naming the line).
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
