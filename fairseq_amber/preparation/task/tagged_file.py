"""Reading words with labels: ``word<TAB>label``, with an empty line between sentences."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines
from fairseq_amber.preparation.task.labels import check_blanks

_FORM = "a line is word<TAB>label, and one empty line ends a sentence"


class TaggedFile(NamedTuple):
    """words, labels: W each, a label "" where there is none; sentence_lengths: words of each."""

    path: Path
    words: list[str]
    labels: list[str]
    sentence_lengths: list[int]

    def line(self, index: int) -> int:
        """The line, from 1, of a word: one empty line stands before each sentence but the first."""
        ends = np.cumsum(self.sentence_lengths)
        return index + 1 + int(np.searchsorted(ends, index, side="right"))


def read_tagged(path: Path, *, labelled: bool) -> TaggedFile:
    """All sentences of a file. Words may hold any characters but tabs; those of a file that need
    not be ``labelled``, as XTREME's test files, may stand without tab and label.

    Raises:
        UserError: it cannot be read, a sentence has no words, a word is empty, a line has more
            columns, or a label is missing (naming the line).
    """
    words: list[str] = []
    labels: list[str] = []
    lengths: list[int] = []
    start = 0
    lines = read_lines(path)
    while lines and not lines[-1].strip(" "):
        lines.pop()
    for number, line in enumerate([*lines, ""], 1):
        word, tab, label = line.rpartition("\t") if "\t" in line else (line, "", "")
        if word.strip(" "):
            if "\t" in word:
                raise UserError(f"{path}:{number}: {line.count(tab) + 1} columns; {_FORM}")
            words.append(word)
            labels.append(label.strip())
        elif tab:
            raise UserError(f"{path}:{number}: no word before the tab; {_FORM}")
        elif start == len(words):
            raise UserError(f"{path}:{number}: a sentence with no words; {_FORM}: remove this one")
        else:
            lengths.append(len(words) - start)
            start = len(words)
    file = TaggedFile(path, words, labels, lengths)
    check_blanks(file, required=labelled)
    return file
