"""Reads and checks the raw files of a split in a language, and turns them into arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

import numpy as np

from fairseq_amber.data.finetuning.kinds import kind_of, load_class
from fairseq_amber.preparation.task.encoder import TextEncoder
from fairseq_amber.preparation.task.labels import LabelledFile, number_labels

Arrays = Mapping[str, np.ndarray]


class ReadingOptions(NamedTuple):
    """How raw files are read.

    Attributes:
        task: the task's name.
        columns: the columns to read, counted from 1; None for those of the usual form.
        skip_misfits: whether questions whose answers are not in their context are left out.
    """

    task: str
    columns: tuple[int, ...] | None = None
    skip_misfits: bool = False


class Examples(ABC):
    """The examples of a split in a language, before they are encoded.

    Args:
        paths: the files.
        split: train, valid or test.

    Attributes:
        unit: what one example is, in the plural.
        options: the fields of ``ReadingOptions`` that mean something to the kind.
        token_arrays: the arrays that hold subwords.
        part_arrays: arrays with one entry for each part of an example, by the parts' name.
        xtreme_files: by task, the files of train, valid and test below the folder download/ that
            XTREME's download_data.sh fills; LANG stands for a language, None for no file. The two
            languages of MLQA's names are those of context and question.
        paths: the files.
        labels: the different labels that the files hold.
        text: the content of <split>.<language>.json, if the kind of task has that file.
    """

    unit: str
    options: tuple[str, ...] = ()
    token_arrays: tuple[str, ...]
    part_arrays: Mapping[str, str] = {}
    xtreme_files: Mapping[str, tuple[str | None, str | None, str | None]] = {}
    paths: Sequence[Path]
    labels: frozenset[str] = frozenset()
    text: bytes | None = None

    @abstractmethod
    def __init__(self, paths: Sequence[Path], split: str):
        pass

    @classmethod
    def read(cls, paths: Sequence[Path], split: str, options: ReadingOptions) -> Examples:
        """Reads the files. A kind with options of its own passes them on."""
        return cls(paths, split)

    @classmethod
    def fixed_labels(cls, task: str) -> list[str] | None:
        """Returns the labels that a task always has; None if the training files decide."""
        return []

    @property
    @abstractmethod
    def number(self) -> int:
        """The number of examples."""

    @abstractmethod
    def settle_labels(self, labels: Sequence[str], origin: str) -> None:
        """Gives every label its number.

        Args:
            labels: all labels in the order of their numbers.
            origin: where they come from, for the error.

        Raises:
            UserError: a file has another label; the message names its line.
        """

    @abstractmethod
    def encode(self, encoder: TextEncoder) -> dict[str, np.ndarray]:
        """Returns the arrays of the examples; called after ``settle_labels``."""

    @abstractmethod
    def occurrences(self, arrays: Arrays, labels: Sequence[str]) -> dict[str, int]:
        """Counts how often each label occurs, for the summary.

        Args:
            arrays: the arrays that ``encode`` has returned.
            labels: all labels in the order of their numbers.
        """


class LabelledExamples(Examples):
    """Examples whose files bear labels.

    Args:
        files: the files.
    """

    def __init__(self, files: Sequence[LabelledFile]):
        self._files = files
        self.paths = [file.path for file in files]
        self.labels = frozenset(chain.from_iterable(file.labels for file in files)) - {""}

    def settle_labels(self, labels: Sequence[str], origin: str) -> None:
        self._numbers = number_labels(self._files, labels, origin)

    def occurrences(self, arrays: Arrays, labels: Sequence[str]) -> dict[str, int]:
        counts = np.bincount(arrays["labels"] + 1, minlength=len(labels) + 1).tolist()
        found = dict(zip(labels, counts[1:]))
        if counts[0]:
            found["blank"] = counts[0]
        return found


def examples_class(task: str) -> type[Examples]:
    """Returns the class that reads the raw files of a task."""
    return load_class(kind_of(task).examples)
