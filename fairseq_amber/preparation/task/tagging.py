"""Reads tagged sentences: ``word<TAB>label``, with an empty line between sentences."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines
from fairseq_amber.preparation.task.encoder import TextEncoder
from fairseq_amber.preparation.task.examples import LabelledExamples
from fairseq_amber.preparation.task.labels import check_blanks
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN

_FORM = "a line is word<TAB>label, and one empty line ends a sentence"


class TaggedFile(NamedTuple):
    """The sentences of a file, which have W words in all.

    Attributes:
        path: the file.
        words: W words.
        labels: W labels, "" where a word has none.
        sentence_lengths: the number of words of each sentence.
    """

    path: Path
    words: list[str]
    labels: list[str]
    sentence_lengths: list[int]

    def line(self, index: int) -> int:
        """Returns the line of a word, counted from 1; empty lines separate the sentences."""
        ends = np.cumsum(self.sentence_lengths)
        return index + 1 + int(np.searchsorted(ends, index, side="right"))


def read_tagged(path: Path, *, labelled: bool) -> TaggedFile:
    """Reads all sentences of a file. A word may hold any characters but tabs.

    Args:
        path: the file.
        labelled: whether every word must have a label. In XTREME's test files the labels, and the
            tabs before them, may be absent.

    Raises:
        UserError: the file cannot be read, a sentence has no words, a word is empty, a line has
            more columns, or a label is missing; the message names the line.
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


class TaggedSentences(LabelledExamples):
    """Sentences with a label for each word."""

    unit = "sentences"
    token_arrays = ("tokens",)
    part_arrays = {"words": "word_lengths"}
    xtreme_files = {
        "pos": ("udpos/train-LANG.tsv", "udpos/dev-LANG.tsv", "udpos/test-LANG.tsv"),
        "ner": ("panx/train-LANG.tsv", "panx/dev-LANG.tsv", "panx/test-LANG.tsv"),
    }

    def __init__(self, paths: Sequence[Path], split: str):
        files = [read_tagged(path, labelled=split != "test") for path in paths]
        super().__init__(files)
        self._words = [word for file in files for word in file.words]
        self._lengths = [length for file in files for length in file.sentence_lengths]

    @classmethod
    def fixed_labels(cls, task: str) -> None:
        return None

    @property
    def number(self) -> int:
        return len(self._lengths)

    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        tokens, lengths = encoder.encode(self._words)
        # Every word needs a token: a word without tokens, such as white space, becomes <unk>.
        ends = np.cumsum(lengths, dtype=np.int64)
        tokens = np.insert(tokens, ends[lengths == 0], UNKNOWN)
        lengths = np.maximum(lengths, 1)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        bare = np.isin(tokens[starts], encoder.bare_spaces) & (lengths > 1)
        return {
            "tokens": tokens,
            "word_lengths": lengths,
            "word_heads": bare.astype(np.int32),
            "sentence_lengths": np.array(self._lengths, np.int32),
            "labels": self._numbers,
        }
