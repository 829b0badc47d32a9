"""Turns tagged sentences into arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.encoder import TextEncoder
from fairseq_amber.preparation.task.examples import LabelledExamples, ReadingOptions
from fairseq_amber.preparation.task.tagged_file import TaggedFile, read_tagged
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN


class TaggedSentences(LabelledExamples):
    """Sentences with a label for each word."""

    unit = "sentences"
    token_arrays = ("tokens",)
    part_arrays = {"words": "word_lengths"}
    xtreme_files = {
        "pos": ("udpos/train-LANG.tsv", "udpos/dev-LANG.tsv", "udpos/test-LANG.tsv"),
        "ner": ("panx/train-LANG.tsv", "panx/dev-LANG.tsv", "panx/test-LANG.tsv"),
    }
    options = ("columns",)

    def __init__(self, paths: Sequence[Path], split: str, options: ReadingOptions | None = None):
        task, columns = (options.task, options.columns) if options else ("pos", None)
        if columns is not None and len(columns) != 2:
            raise UserError(f"--columns of {task} names two columns, those of word and label")
        files = [
            read_tagged(path, labelled=split != "test", task=task, columns=columns)
            for path in paths
        ]
        super().__init__(files)
        self._words = [word for file in files for word in file.words]
        self._lengths = [length for file in files for length in file.sentence_lengths]
        self._gaps = _joined_gaps(files)

    @classmethod
    def read(cls, paths: Sequence[Path], split: str, options: ReadingOptions) -> TaggedSentences:
        return cls(paths, split, options)

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
            "gaps": self._gaps,
        }


def _joined_gaps(files: Sequence[TaggedFile]) -> np.ndarray:
    """Returns ``TaggedFile.gaps`` of all files, one after the other; at least one line is between
    the sentences of two files."""
    gaps = [0]
    for number, file in enumerate(files):
        between = gaps.pop() + file.gaps[0]
        gaps += [max(between, 1) if number else between, *file.gaps[1:]]
    return np.array(gaps, np.int32)
